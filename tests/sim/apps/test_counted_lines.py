"""The lines of a counted run."""

from sim.apps.counted_lines import WIDE_EVERY, make_line, shortest


def test_lines_have_the_bytes_that_were_asked_for_and_differ():
    for size in (shortest(40), 13, 14, 15, 50, 180, 1000):
        lines = [make_line("c", number, size, seed=3) for number in range(40)]
        assert {len(line.encode()) + 1 for line in lines} == {size} and len(set(lines)) == len(lines)


def test_every_so_often_a_line_has_characters_of_two_three_and_four_bytes():
    for number in range(4 * WIDE_EVERY):
        found = {len(character.encode()) for character in make_line("s", number, 50, seed=1)}
        assert found == ({1, 2, 3, 4} if number % WIDE_EVERY == WIDE_EVERY - 1 else {1})
