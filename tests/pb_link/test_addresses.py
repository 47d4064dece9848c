"""Several addresses of the server: which one the ESP8266 is told next, and what the application hears of it."""

import pytest

from pb_link.addresses import Addresses
from protocol import control
from protocol.control import decode_config
from protocol.frame import REFUSED_IDENTITY
from tests.link.virtual import run
from tests.pb_link.board import CONFIG, Board
from tests.pb_link.test_failures import Strict, lines, refuse

MICROPYTHON = False
MICROPYTHON_REASON = "uses pytest and the virtual clock"

SEVERAL = (CONFIG[0], "first, second:8124, third", *CONFIG[2:])
PLACES = [("first", 8123), ("second", 8124), ("third", 8123)]
NO_LISTENER = bytes((control.BAD_SERVER, 1))


def board(**how):
    return Board(config=SEVERAL, **how)


async def place(one):
    """(host, port) that the ESP8266 is told next."""
    while (data := await one.fetch())[0] != 1:
        pass
    return decode_config(data)[1::-1]


def test_addresses_that_fail_are_left_in_turn_and_the_first_follows_the_last():
    async def main():
        async with board() as one:
            await one.synchronise()
            for turn in range(7):
                assert await place(one) == PLACES[turn % 3]
                await one.tell(NO_LISTENER)

    run(main())


@pytest.mark.parametrize("how", ["ended without a session", "refused"])
def test_server_without_a_session_is_left(how):
    async def main():
        async with board() as one:
            await one.synchronise()
            assert await place(one) == PLACES[0]
            if how == "refused":
                await refuse(one, 1, REFUSED_IDENTITY)
            else:
                await one.tell(bytes((control.UP, 1)))
                await one.tell(bytes((control.DOWN, 1, 5)))
            assert await place(one) == PLACES[1]
            await one.tell(bytes((control.DOWN, 1, 8)))  # of the connection that is over: it comes late
            await one.beat(2000)
            assert decode_config(one.app._link.config)[1::-1] == PLACES[1]

    run(main())


def test_wifi_that_fails_is_no_fault_of_an_address():
    async def main():
        async with board() as one:
            await one.synchronise()
            assert await place(one) == PLACES[0]
            await one.tell(bytes((control.BAD_WIFI, 4)))
            await one.beat(2000)
            one.power_bridge()
            await one.synchronise()
            assert await place(one) == PLACES[0]

    run(main())


def test_esp8266_that_starts_anew_is_told_the_present_address():
    async def main():
        async with board() as one:
            await one.synchronise()
            assert await place(one) == PLACES[0]
            await one.tell(NO_LISTENER)
            assert await place(one) == PLACES[1]
            one.power_bridge()
            await one.synchronise()
            assert await place(one) == PLACES[1]

    run(main())


def test_application_hears_of_no_failure_before_all_addresses_have_failed(capsys):
    async def main():
        async with board() as one:
            await one.synchronise()
            for _ in range(3):
                assert one.app.calls == []
                await place(one)
                await one.tell(NO_LISTENER)
                await one.pause(10)
            assert one.app.calls == ["bad_server"]
            assert "nobody listens at third:8123" in one.app.reason()

    run(main())
    said = [line.partition(" at ")[2].partition(":")[0] for line in lines(capsys)]
    assert said == ["first", "second", "third"]


def test_failure_ends_an_application_that_does_not_override_the_hook_when_all_have_failed():
    async def main():
        async with board(app=Strict) as one:
            await one.synchronise()
            for _ in range(3):
                assert not one.link.done()
                await place(one)
                await one.tell(NO_LISTENER)
            await one.pause(10)
            with pytest.raises(OSError, match="No initial server connection: nobody listens at third"):
                await one.link

    run(main())


class Recording:
    """A Link and its Notifier, for Addresses alone."""

    config, send_config = b"0", False

    def __init__(self):
        self.notes, self.told = [], []
        self.notifier = self
        self.failed = lambda *failure: self.notes.append((*failure, self.config))
        self.addresses = Addresses(self, [b"0", b"1"])


def test_what_is_noted_names_the_address_that_has_failed():
    link = Recording()
    link.addresses.failed(control.BAD_SERVER, 1, True)
    assert link.notes == [(control.BAD_SERVER, 1, True, b"0")] and (link.config, link.send_config) == (b"1", True)


def test_one_address_loads_nothing_of_this():
    async def main():
        async with Board() as one:
            link = one.app._link
            assert "failed" not in vars(link) and "failed" not in vars(link.notifier)

    run(main())
