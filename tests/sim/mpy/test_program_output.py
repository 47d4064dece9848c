"""What a process prints: every line of it, whatever becomes of one."""

import asyncio

from sim.mpy.program_output import END_BYTES, pass_on


def passed(data, on_line, limit=2 * END_BYTES, more=b""):
    """Passes the lines of this output on. more: comes later. Returns the contexts of what has failed meanwhile."""
    contexts = []

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: contexts.append(context))
        stream = asyncio.StreamReader(limit)
        stream.feed_data(data)
        asyncio.get_running_loop().call_later(0.01, lambda: (stream.feed_data(more), stream.feed_eof()))
        await pass_on(stream, on_line)

    asyncio.run(main())
    return contexts


def test_lines_come_without_their_ends_and_the_last_one_needs_none():
    lines = []
    assert passed(b"one\r\n\n\xfftwo\nthree", lines.append) == []
    assert lines == ["one", "", "\ufffdtwo", "three"]


def test_longer_line_than_the_limit_comes_in_pieces_with_its_end_in_one_and_the_next_one_whole():
    for size in (3 * END_BYTES, 10 * END_BYTES):
        text, lines = "0123456789" * (size // 10), []
        passed(f"{text}the e".encode(), lines.append, more=b"nd\nnext\n")
        assert "".join(lines[:-1]) == text + "the end" and lines[-1] == "next"
        assert lines[-2].endswith("the end") and len(lines) > 2


def test_line_that_cannot_be_shown_is_told_and_the_next_ones_are_shown():
    lines = []

    def show(line):
        if line == "bad":
            raise ValueError(line)
        lines.append(line)

    (context,) = passed(b"good\nbad\nbetter\n", show)
    assert lines == ["good", "better"] and str(context["exception"]) == "bad"
