"""What stands between a client and a session is said once, in words, and the hook that raises says it as well."""

import asyncio
from types import SimpleNamespace

import pytest

from pb_link.failures import _IN_VAIN, _MAX_SAID, Failures
from protocol import control
from protocol.config_record import encode_config
from protocol.control import BAD_SERVER, BAD_WIFI
from protocol.frame import REASONS, REFUSED_BUSY, REFUSED_IDENTITY, REFUSED_VERSION
from protocol.mailbox import DATA, FRAME_END, HEADER
from protocol.responder import encode_refused
from tests.link.virtual import run
from tests.pb_link.board import App, Board

MICROPYTHON = False
MICROPYTHON_REASON = "uses pytest and the virtual clock"

PLACE = "server:8123"


class Strict(App):
    ends = ("bad_wifi", "bad_server")


class Played:
    """Failures, and the kinds that the application is told."""

    def __init__(self):
        self.told = []
        link = SimpleNamespace(config=encode_config(8123, "server", 1500, 10, "net", "secret"))
        self.failures = Failures(link, "a")

    def met(self, kind, why, sure=True):
        if self.failures.met(kind, why, sure):
            self.told.append(kind)


def lines(capsys):
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("pb_link: ")]


async def refuse(board, number, reason, version=9):
    """The server of connection `number` refuses the client."""
    await board.tell(bytes((control.UP, number)))
    await board.fetch()  # HELLO
    frame = encode_refused(reason, version)
    data = bytes((0, len(frame))) + frame
    board.bridge.buffer[HEADER : HEADER + len(data)] = data
    board.bridge.send(DATA | FRAME_END, number, HEADER, len(data))
    await board.beat(2000)


def test_each_reason_is_said_once(capsys):
    played = Played()
    for _ in range(3):
        played.met(BAD_SERVER, 1)
        played.met(BAD_WIFI, 4)
    said = lines(capsys)
    assert len(said) == 2 and PLACE in said[0] and "'net'" in said[1]
    assert played.failures.reason() in said[1]
    assert played.told == [BAD_SERVER, BAD_WIFI] * 3  # the Notifier calls each hook once


def test_reasons_that_never_end_fill_no_console(capsys):
    played = Played()
    for code in range(200):
        played.met(BAD_SERVER, "refused: reason %d" % code)
    assert len(lines(capsys)) == _MAX_SAID


def test_connections_that_end_in_vain_are_told_when_they_are_no_accident(capsys):
    played = Played()
    for _ in range(_IN_VAIN - 1):
        played.met(BAD_SERVER, 7, sure=False)
    assert played.told == [] and lines(capsys) == [] and played.failures.reason() == ""
    played.met(BAD_SERVER, 7, sure=False)
    assert played.told == [BAD_SERVER] and "is no pb_link server" in lines(capsys)[0]


def test_server_that_has_refused_us_is_not_called_another_program_when_it_closes_at_once(capsys):
    played = Played()
    played.met(BAD_SERVER, "refused: unknown id or wrong key")
    for _ in range(2 * _IN_VAIN):
        played.met(BAD_SERVER, 5, sure=False)
    assert len(lines(capsys)) == 1 and "wrong key" in played.failures.reason()


def test_reason_that_there_is_no_memory_for_is_told_by_its_code(capsys, monkeypatch):
    def fail(*arguments):
        raise MemoryError

    monkeypatch.setattr("pb_link.reasons.text", fail)

    async def main():
        async with Board() as board:
            await board.synchronise()
            await board.tell(b"\5\1")
            await board.pause()
            assert board.app.calls == ["bad_server"] and not board.link.done()

    run(main())
    assert lines(capsys) == ["pb_link: no session with the server (1)"]


def test_failure_that_there_is_no_memory_to_note_is_told_by_its_code(capsys, monkeypatch):
    def fail(*arguments):
        raise MemoryError

    monkeypatch.setattr("pb_link.failures.Failures", fail)

    async def main():
        async with Board() as board:
            await board.synchronise()
            for why in (1, 2, 1):
                await board.tell(bytes((5, why)))
                await board.pause()
            assert board.app.calls == ["bad_server"] and not board.link.done() and board.app.reason() == ""

    run(main())
    assert lines(capsys) == ["pb_link: no session 1"]


def test_session_ends_what_was_said_and_its_reason(capsys):
    async def main():
        async with Board() as board:
            await board.synchronise()
            for _ in range(2):
                await board.tell(b"\5\1")
                await board.tell(b"\5\1")
                assert PLACE in board.app.reason()
                board.app._link._set_up(True)
                assert board.app.reason() == ""
                board.app._link._set_up(False)

    run(main())
    assert len(lines(capsys)) == 2


RECORDS = [
    (b"\4", "No initial WiFi connection: the Wi-Fi network 'net' could not be joined"),
    (b"\4\3", "No initial WiFi connection: the Wi-Fi network 'net' refuses"),
    (b"\4\4", "No initial WiFi connection: there is no Wi-Fi network 'net'"),
    (b"\5", "No initial server connection: no connection to server:8123"),
    (b"\5\1", "No initial server connection: nobody listens at server:8123"),
    (b"\5\4", "No initial server connection: no address is known for server"),
]


@pytest.mark.parametrize(("record", "message"), RECORDS, ids=range(len(RECORDS)))
def test_error_of_the_default_hook_says_why_without_verbose(record, message):
    async def main():
        async with Board(Strict) as board:
            await board.synchronise()
            await board.tell(record)
            await asyncio.wait([board.link], timeout=5)
            with pytest.raises(OSError) as error:
                board.link.result()
            assert message in str(error.value) and "secret" not in str(error.value)

    run(main())


REFUSALS = [
    (REFUSED_IDENTITY, REASONS[REFUSED_IDENTITY]),
    (REFUSED_BUSY, REASONS[REFUSED_BUSY]),
    (REFUSED_VERSION, "the server speaks protocol version 9"),
    (77, "reason 77"),
]


@pytest.mark.parametrize(("reason", "words"), REFUSALS, ids=["identity", "busy", "version", "unknown"])
def test_reason_of_a_refusal_is_in_the_error_with_address_and_port(reason, words):
    async def main():
        async with Board(Strict) as board:
            await board.synchronise()
            await board.fetch()
            await refuse(board, 1, reason)
            with pytest.raises(OSError) as error:
                board.link.result()
            assert words in str(error.value) and PLACE in str(error.value)

    run(main())


def test_refusal_that_goes_on_is_said_once_and_the_hook_knows_it(capsys):
    class Asking(App):
        async def bad_server(self):
            self.calls.append(self.reason())

    async def main():
        async with Board(Asking) as board:
            await board.synchronise()
            await board.fetch()
            for number in range(1, 6):
                await refuse(board, number, REFUSED_IDENTITY)
            return board.app.calls

    calls = run(main())
    said = lines(capsys)
    assert len(said) == 1 and said == ["pb_link: " + reason for reason in calls]


@pytest.mark.parametrize("code", [5, 6, 7, 8])
def test_end_of_a_connection_without_a_session_says_what_is_there(code, capsys):
    async def main():
        async with Board() as board:
            await board.synchronise()
            await board.fetch()
            for number in range(1, 8):
                await board.tell(bytes((control.UP, number)))
                await board.tell(bytes((control.DOWN, number, code)))
                assert board.app.calls == (["bad_server"] if number >= _IN_VAIN else [])

    run(main())
    assert len(lines(capsys)) == 1


@pytest.mark.parametrize("down", [b"\3\1", b"\3\1\0", b"\3\2\5"])
def test_end_without_a_reason_is_told_to_nobody(down, capsys):
    """That of an earlier release, one that the ESP8266 is not to tell yet, that of another connection."""

    async def main():
        async with Board() as board:
            await board.synchronise()
            for _ in range(2 * _IN_VAIN):
                await board.tell(b"\2\1")
                await board.tell(down)
            assert board.app.calls == []

    run(main())
    assert lines(capsys) == []


def test_server_that_says_nothing_for_as_long_as_a_handshake_may_take_is_told(capsys):
    """With a long time-out the ESP8266 does not notice."""

    async def main():
        async with Board() as board:
            await board.synchronise()
            for number in range(1, _IN_VAIN + 1):
                await board.tell(bytes((control.UP, number)))
                await board.beat(12000)
            assert board.app.calls == ["bad_server"]

    run(main())
    assert "does not answer" in lines(capsys)[0]


def test_reason_is_empty_while_nothing_is_known():
    async def main():
        async with Board() as board:
            assert board.app.reason() == ""

    run(main())
