"""A Box keeps messages of any kind in their order, and a line as its bytes alone."""

import gc

from server.core.message import Message, line
from server.core.store import cost
from server.stores.box import Box, box_of, only_lines


def rows_of(box):
    return [box.row(at) for at in range(len(box.numbers))]


def test_what_is_kept_comes_back_as_it_was_and_is_counted():
    messages = [line(b"line"), Message(5, 2, 7, b"call"), Message(0, 8, 0, b""), line(b""), Message(5, 0, 0, b"\xff")]
    box = Box()
    for number, message in enumerate(messages):
        assert box.append(2 * number, message) == cost([message])
    assert rows_of(box) == [(2 * number, message) for number, message in enumerate(messages)]
    assert all(isinstance(message, Message) for _, message in rows_of(box))
    box.replace(0, Message(0, 8, 0, b""))
    box.replace(1, line(b"a longer one"))
    assert box.remove(2, 2) == [4, 6] and box.remove(2, 1) == [8] and box.remove(0, 0) == []
    box.insert(1, 1, line(b"between"))
    rows = [(0, Message(0, 8, 0, b"")), (1, line(b"between")), (2, line(b"a longer one"))]
    assert rows_of(box) == rows and box.cost == cost([message for _, message in rows])
    assert box.has(1, 1) and not box.has(1, 2) and not box.has(3, 3)


def test_index_is_found_with_and_without_gaps():
    for numbers in ([], [5], [5, 6, 7, 8], [5, 7, 8, 20, 21, 40]):
        box = Box()
        for number in numbers:
            box.append(number, line(b"x"))
        for number in range(45):
            assert box.at(number) == sum(one < number for one in numbers)


def test_lines_that_wait_are_nothing_to_the_collector():
    box = Box()
    assert box.append_lines(5, [b"%d" % i for i in range(1000)]) == box.cost == cost([row[1] for row in rows_of(box)])
    assert rows_of(box)[999] == (1004, line(b"999"))
    gc.collect()
    assert len(gc.get_referents(box)) <= 4 and not any(gc.is_tracked(one) for one in gc.get_referents(box._held))


def test_lines_alone_are_told_from_messages():
    assert only_lines([b"x", b""]) and not only_lines([])
    assert not only_lines([b"x", Message(5, 0, 0, b"y")]) and not only_lines([line(b"x")])


def test_box_is_made_once():
    boxes = {}
    assert box_of(boxes, 5) is box_of(boxes, 5) is not box_of(boxes, 6)
