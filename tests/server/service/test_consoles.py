"""Consoles of clients: what is kept of them, what is told of what is missing, and who may type."""

import asyncio
import json
from struct import pack

import pytest

from protocol.channel_receiver import left_in
from protocol.channel_records import LIMIT
from server.core.registry import Registry
from server.service import consoles
from server.service.consoles import CHANNEL, INPUT_MS, KEPT, LINE_COST, MAX_BEHIND, MAX_INPUT, MAX_LINE, Consoles
from tests.server.channel_peer import ChannelClient
from tests.server.peer import Service, until, within


class Printing:
    """What a client prints, as the messages of its console."""

    def __init__(self, found, offset=0, flags=0):
        self.found = found
        self.offset = offset
        self.flags = flags

    def prints(self, text):
        data = text if isinstance(text, bytes) else text.encode()
        self.found.take("a", pack(">BI", self.flags, self.offset) + data)
        self.offset = (self.offset + len(data)) % (1 << 30)


def made(allowed=()):
    found = Consoles(Registry(), lambda client_id: client_id in allowed)
    return found, Printing(found)


def texts(found, count=1000, since_s=None):
    return [line for _, line in found.lines("a", count, since_s)]


def test_lines_are_kept_however_they_are_cut_and_the_one_that_has_begun_is_shown():
    found, client = made()
    data = "w\u00f6rd\r\nnext\n\n>>> ".encode()
    for i in range(len(data)):
        client.prints(data[i : i + 1])
    assert texts(found) == ["w\u00f6rd", "next", "", ">>> "]
    assert texts(found, 2) == ["", ">>> "] and texts(found, 0) == []


def test_only_lines_since_a_time_are_shown(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(consoles.time, "time", lambda: 7000.0 - now[0])  # somebody sets it
    monkeypatch.setattr(consoles.time, "monotonic", lambda: now[0])
    found, client = made()
    client.prints("old\n")
    now[0] = 1100.0
    client.prints("new\n")
    assert texts(found, since_s=50) == ["new"] and texts(found, since_s=100) == ["old", "new"]
    assert found.lines("a", 9, None) == [(6000.0, "old"), (5900.0, "new")]


def test_what_is_missing_is_told_with_its_bytes_and_a_new_start_as_well():
    found, client = made()
    client.prints("one\ntw")
    client.offset += 700
    client.prints("o\n")
    client.offset = 0
    client.prints("again\n")
    assert texts(found) == ["one", "tw", "[700 bytes are missing]", "o", "[the client has started again]", "again"]


def test_server_that_has_started_later_says_what_it_does_not_know():
    found, client = made()
    client.offset = 5000
    client.prints("here\n")
    assert texts(found) == ["[5000 bytes before this are not known here]", "here"]


def test_offset_that_wraps_is_no_gap():
    found, client = made()
    client.offset = (1 << 30) - 3
    client.prints("x\n")
    client.prints("ab\n")
    assert texts(found)[1:] == ["x", "ab"] and client.offset == 2


@pytest.mark.parametrize("size", [0, 1, 100, MAX_LINE])
def test_memory_of_a_client_is_bounded_whatever_the_lines_are(size):
    found, client = made()
    for number in range(2 * KEPT // LINE_COST):
        client.prints("%d" % number + "x" * size + "\n")
    kept = texts(found)
    assert KEPT - 2 * MAX_LINE < sum(len(line) + LINE_COST for line in kept) <= KEPT
    assert kept[-1].startswith("%d" % number)


def test_line_without_an_end_is_cut():
    found, client = made()
    for _ in range(30):
        client.prints("y" * 100)
    assert [len(line) for line in texts(found)] == [MAX_LINE, MAX_LINE, 3000 - 2 * MAX_LINE]


@pytest.mark.parametrize("data", [b"", b"\0\0\0\0"])
def test_message_that_is_none_is_nothing(data):
    found, _ = made()
    found.take("a", data)
    assert texts(found) == []


def test_bytes_that_are_no_text_are_shown_as_such():
    found, client = made()
    client.prints(b"\xff\xfe!\n")
    assert texts(found) == ["\ufffd\ufffd!"]


def test_news_are_what_comes_after_a_number():
    found, client = made()
    assert found.news("a") == ([], "", 0, 0, False)
    client.prints("one\ntwo\n>>> ")
    lines, begun, number, missed, used = found.news("a")
    assert [(at, line) for at, _, line in lines] == [(1, "one"), (2, "two")]
    assert (begun, number, missed, used) == (">>> ", 2, 0, True)
    assert found.news("a", 2).lines == [] and [line[2] for line in found.news("a", 1).lines] == ["two"]
    client.prints("1\n" * 3)
    newest = found.news("a", 2, 2)
    assert [line[0] for line in newest.lines] == [4, 5] and newest.missed == 1


def test_news_say_how_many_lines_are_not_kept_any_more():
    found, client = made()
    client.prints("\n")
    for _ in range(100):
        client.prints("z" * 1000 + "\n")
    news = found.news("a", 1)
    assert news.number == 101 and news.missed == 100 - len(news.lines) > 0


def test_follower_gets_what_comes_and_is_told_if_it_does_not_take_it():
    async def main():
        found, client = made()
        following = found.follow("a", asyncio.StreamReader())
        first = asyncio.create_task(anext(following))
        await asyncio.sleep(0)
        client.prints("0\n")
        assert (await within(first))[1] == "0"
        for number in range(1, MAX_BEHIND + 10):
            client.prints("%d\n" % number)
        shown = []
        with pytest.raises(ValueError, match="were not taken"):
            while True:
                shown.append((await within(anext(following)))[1])
        assert shown == [str(number) for number in range(1, MAX_BEHIND + 1)]
        assert not found._of("a").followers

    asyncio.run(main())


def test_follower_that_goes_ends_it():
    async def main():
        found, _ = made()
        reader = asyncio.StreamReader()
        reader.feed_eof()
        assert [entry async for entry in found.follow("a", reader)] == []
        assert not found._of("a").followers

    asyncio.run(main())


# With a client and a server


class Terminal:
    """Whoever types: `reader` has it."""

    def __init__(self, found):
        self.reader = asyncio.StreamReader()
        self.answers = []
        self.task = asyncio.create_task(self._take(found))

    async def _take(self, found):
        async for answer in found.repl("a", self.reader):
            self.answers.append(answer)

    def types(self, text):
        self.reader.feed_data(json.dumps({"input": text}).encode() + b"\n")


def play(main, allowed=("a",), flags=1):
    async def whole():
        async with Service() as service:
            registry = service.registry
            found = Consoles(registry, lambda client_id: client_id in allowed)
            service.events.subscribe(found.note)
            client = ChannelClient(service.port, (CHANNEL,))
            client.flags = flags
            await main(service, found, client)

    asyncio.run(whole())


async def arrives(found, client, text=b"ready\n"):
    await within(client.connect())
    client.send(CHANNEL, pack(">BI", client.flags, 0) + text, qos=False)
    await until(lambda: found._of("a").takes_input is not None, "the console")


def test_what_is_printed_is_not_in_the_store_and_what_is_typed_comes_to_the_client():
    async def main(service, found, client):
        await arrives(found, client)
        terminal = Terminal(found)
        events = []
        service.events.subscribe(lambda event, client_id, details: events.append(event))
        terminal.types("1 + \u00e4\r")
        (data, _, _), *_ = await client.messages(CHANNEL, 1)
        assert data[LIMIT:] == "1 + \u00e4\r".encode()
        client.send(CHANNEL, pack(">BI", 1, 6) + b">>> ", qos=False)
        await until(lambda: {"text": ">>> "} in terminal.answers, "the prompt")
        assert service.store.unread("a", CHANNEL)[0] == 0
        terminal.reader.feed_eof()
        await within(terminal.task)
        assert events == ["repl_opened", "repl_closed"] and not found._of("a").typists

    play(main)


def test_long_input_goes_in_pieces_with_a_limit():
    async def main(service, found, client):
        await arrives(found, client)
        terminal = Terminal(found)
        terminal.types("x" * (2 * MAX_INPUT + 1))
        got = await client.messages(CHANNEL, 3)
        assert [len(data) - LIMIT for data, _, _ in got] == [MAX_INPUT, MAX_INPUT, 1]
        assert all(0 < left_in(data) <= INPUT_MS for data, _, _ in got)
        terminal.reader.feed_eof()
        await within(terminal.task)

    play(main)


def test_what_is_typed_without_a_terminal_comes_to_the_client_if_it_is_there():
    async def main(service, found, client):
        await arrives(found, client)
        assert await found.type("a", "1\r")
        (data, _, _), *_ = await client.messages(CHANNEL, 1)
        assert data[LIMIT:] == b"1\r"
        client.cut()
        await until(lambda: not service.connection().connected_here(), "the end of the connection")
        assert not await found.type("a", "2\r")

    play(main)


REFUSALS = [
    ((), 1, True, "the key of a does not allow the REPL: pb-link keys rotate a --repl"),
    (("a",), 0, True, "a takes no input: its program needs AppBase(.., repl=True)"),
    (("a",), 1, False, "a has sent nothing to its console since the server started"),
]


@pytest.mark.parametrize(("allowed", "flags", "comes", "error"), REFUSALS)
def test_repl_is_refused_in_words(allowed, flags, comes, error):
    async def main(service, found, client):
        if comes:
            await arrives(found, client)
        with pytest.raises(ValueError) as caught:
            await within(Terminal(found).task)
        assert error in str(caught.value) and found.refuses_input("a") == str(caught.value)
        with pytest.raises(ValueError):
            await found.type("a", "1")

    play(main, allowed, flags)


def test_permission_that_is_taken_away_ends_it_before_what_is_typed_next():
    allowed = ["a"]

    async def main(service, found, client):
        await arrives(found, client)
        terminal = Terminal(found)
        terminal.types("1")
        await client.messages(CHANNEL, 1)
        allowed.clear()
        terminal.types("2")
        with pytest.raises(ValueError, match="does not allow"):
            await within(terminal.task)
        await asyncio.sleep(0.1)
        assert len(client.got[CHANNEL]) == 1

    play(main, allowed)


def test_nothing_is_kept_for_a_client_that_is_away_and_the_operator_is_told():
    async def main(service, found, client):
        await arrives(found, client)
        terminal = Terminal(found)
        await asyncio.sleep(0)
        client.cut()
        await until(lambda: {"note": "a is disconnected"} in terminal.answers, "the note")
        terminal.types("late\r")
        await until(lambda: {"note": "a is not connected: this was not sent"} in terminal.answers, "the answer")
        await within(client.connect())
        await until(lambda: {"note": "a is connected"} in terminal.answers, "the note")
        await asyncio.sleep(0.1)
        assert CHANNEL not in client.got
        with pytest.raises(ValueError, match="is not connected"):
            client.cut()
            await until(lambda: not service.connection().status(), "the end")
            await within(Terminal(found).task)
        terminal.reader.feed_eof()
        await within(terminal.task)

    play(main)
