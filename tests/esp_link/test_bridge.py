"""The bridge between a client and its server."""

import asyncio

import pytest

from esp_link import bridge
from i2c_devices import mailbox_controller
from protocol import control, mailbox
from protocol.config_record import encode_config
from protocol.framing import KEEPALIVE, PREAMBLE
from protocol.mailbox import STATUS_BYTES
from protocol.version import RELEASE
from tests.esp_link.bench import CONFIG, DOWN, UP, Bench
from tests.link.virtual import now_ms, run

FRAME = b"\0\5hello"
SESSION = b"\0\x50" + bytes(80)  # more than a server says without one

WRITTEN_OUT = [
    (bridge, mailbox, ("ADDRESS", "HEADER", "PAYLOAD", "DATA", "CONTROL", "KIND", "FRAME_END")),
    (bridge, mailbox_controller, ("USED", "LOST", "NEW_EPOCH")),
    (mailbox_controller, mailbox, ("ADDRESS_BITS", "HEADER", "SLOTS")),
]


@pytest.mark.parametrize(("module", "source", "names"), WRITTEN_OUT, ids=["mailbox", "events", "sizes"])
def test_constants_that_are_written_out_again_are_those_of_their_source(module, source, names):
    for name in names:
        assert getattr(module, f"_C_{name}") == getattr(source, name), name


# Order of power


def test_bridge_waits_for_a_client_that_is_absent_and_connects_nowhere():
    async def main():
        async with Bench(client=False) as bench:
            await bench.pause(30000)
            assert bench.attempts == [] and not bench.task.done()
            assert 100 <= bench.bus.transfers <= 200  # a look every 200 ms
            bench.new_client()
            await bench.connected()
            assert bench.attempts[0][1:] == ("server", 8123)

    run(main())


def test_client_may_wait_for_the_bridge():
    async def main():
        bench = Bench()
        bench.new_client()
        await bench.pause(5000)
        async with bench:
            assert await bench.connected() == 1

    run(main())


def test_bridge_connects_only_when_it_is_configured():
    async def main():
        async with Bench() as bench:
            await bench.pause(5000)
            assert bench.client.epochs == 1 and bench.attempts == []
            await bench.connected()

    run(main())


def test_bridge_connects_at_once_when_it_is_configured():
    async def main():
        async with Bench() as bench:
            bench.client.beating = False  # its next beat may be half a second away
            bench.client.configure()
            begun = now_ms()
            await bench.until(lambda: bench.attempts)
            assert now_ms() - begun <= 350

    run(main())


def test_new_epoch_of_the_client_ends_the_old_connection_and_is_configured_anew():
    async def main():
        async with Bench() as bench:
            await bench.connected()
            bench.client.close()
            bench.new_client()
            await bench.until(lambda: bench.sockets[0].closed)
            await bench.pause(1000)
            assert len(bench.attempts) == 1
            assert await bench.connected() == 2
            assert DOWN not in bench.client.kinds()

    run(main())


def test_bus_that_is_left_and_entered_again_is_a_new_epoch_of_the_link():
    async def main():
        async with Bench() as bench:
            await bench.connected()
            bench.client.box.close()
            await bench.pause(100)
            bench.client.box.open()
            await bench.until(lambda: bench.client.epochs == 2)
            bench.client.configure()
            await bench.until(lambda: bench.client.kinds().count(UP) == 2)

    run(main())


# The server


def test_first_refusal_is_told_once_and_attempts_go_on_with_growing_pauses():
    async def main():
        async with Bench() as bench:
            bench.answer = "refuse"
            bench.client.configure()
            await bench.pause(60000)
            assert bench.client.kinds() == [control.BAD_SERVER]
            times = [when for when, _, _ in bench.attempts]
            gaps = [b - a for a, b in zip(times, times[1:], strict=False)]
            assert gaps[:4] == [250, 500, 1000, 2000] and set(gaps[4:]) == {4000}
            bench.answer = "accept"
            await bench.until(lambda: UP in bench.client.kinds())

    run(main())


def test_client_is_told_the_release_of_the_firmware_with_each_new_configuration():
    async def main():
        async with Bench() as bench:
            await bench.connected()
            assert bench.client.releases == [bytes((control.RELEASE, *RELEASE))]

    run(main())


def test_client_knows_the_newest_failure_and_each_is_told_when_it_begins():
    async def main():
        async with Bench() as bench:
            await bench.connected()
            for outage in (1, 2):
                bench.socket.feed(SESSION)
                await bench.pause(100)
                bench.client.controls.clear()
                bench.answer = "refuse"
                bench.socket.end()
                await bench.pause(20000)
                bench.wifi.good = False
                await bench.pause(20000)
                bench.wifi.good = True
                await bench.pause(20000)
                down, *failures = bench.client.controls
                assert down == bytes((DOWN, outage, 0))
                server, wifi = bytes((control.BAD_SERVER, 1)), bytes((control.BAD_WIFI, 0))
                assert failures == [server, wifi, server]
                bench.answer = "accept"
                await bench.until(lambda: UP in bench.client.kinds())
            assert bench.client.controls[-1][1] == 3

    run(main())


def test_new_client_is_told_of_its_own_initial_failure():
    async def main():
        async with Bench() as bench:
            await bench.connected()
            bench.answer = "refuse"
            bench.client.close()
            bench.new_client()
            bench.client.configure()
            await bench.until(lambda: bench.client.kinds() == [control.BAD_SERVER])

    run(main())


def test_wifi_failure_is_told_once():
    async def main():
        async with Bench() as bench:
            bench.wifi.good = False
            bench.client.configure()
            await bench.pause(30000)
            assert bench.client.kinds() == [control.BAD_WIFI] and bench.attempts == []
            bench.wifi.good = True
            await bench.until(lambda: bench.client.kinds() == [control.BAD_WIFI, UP])

    run(main())


def test_server_that_does_not_answer_is_a_failure():
    async def main():
        async with Bench() as bench:
            bench.answer = "hang"
            bench.client.configure()
            await bench.until(lambda: bench.client.kinds() == [control.BAD_SERVER])
            assert 8000 <= now_ms() - bench.attempts[0][0] <= 8600

    run(main())


FAILURES = [
    ((111, "refused"), 1),
    ((104,), 1),
    ((113,), 2),
    ((2, "the server does not answer"), 2),
    ((3, "no name server answers"), 3),
    ((4, "no name of a host"), 4),
    ((12,), 0),
    ((), 0),
    (("no number",), 0),
]


@pytest.mark.parametrize(("error", "code"), FAILURES, ids=range(len(FAILURES)))
def test_client_is_told_why_no_connection_could_be_made(error, code):
    async def main():
        async with Bench() as bench:
            bench.answer = OSError(*error)
            bench.client.configure()
            await bench.pause(20000)
            assert bench.client.controls == [bytes((control.BAD_SERVER, code))]

    run(main())


@pytest.mark.parametrize(("status", "code"), [*((n, 1 + n) for n in range(5)), (6, 7), (7, 0), (255, 0)])
def test_client_is_told_why_no_network_could_be_joined(status, code):
    async def main():
        async with Bench() as bench:

            async def join(*wanted):
                return -1 - status

            bench.wifi.join = join
            bench.client.configure()
            await bench.pause(20000)
            assert bench.client.controls == [bytes((control.BAD_WIFI, code))]

    run(main())


@pytest.mark.parametrize(
    ("says", "ends", "code"),
    [
        (b"", True, 5),
        (b"", False, 6),
        (b"HTTP/1.1 400 Bad Request\r\n", True, 7),
        (FRAME + b"SSH-2.0", False, 7),
        (FRAME, True, 8),
        (FRAME, False, 8),
        (SESSION, True, 0),
    ],
    ids=["closes", "silent", "foreign", "foreign later", "closes in the handshake", "stops in it", "a session"],
)
def test_client_is_told_why_no_session_came_of_a_connection(says, ends, code):
    async def main():
        async with Bench() as bench:
            number = await bench.connected()
            bench.socket.feed(says)
            if ends:
                bench.socket.end()
            await bench.until(lambda: DOWN in bench.client.kinds())
            assert bench.client.controls[1] == bytes((DOWN, number, code))

    run(main())


def test_another_configuration_leads_to_another_server():
    async def main():
        async with Bench() as bench:
            await bench.connected()
            bench.client.configure((9000, "other", 1500, 0, "", ""))
            await bench.until(lambda: len(bench.attempts) == 2)
            assert bench.sockets[0].closed and bench.attempts[1][1:] == ("other", 9000)

    run(main())


def test_configuration_that_comes_while_the_old_one_connects_wins():
    async def main():
        async with Bench() as bench:
            bench.answer = "hang"
            bench.client.configure()
            await bench.until(lambda: bench.attempts)
            bench.client.configure((9000, "other", 1500, 0, "", ""))
            await bench.pause(500)
            bench.answer = "accept"
            await bench.until(lambda: bench.attempts[-1][1] == "other", 30000)
            await bench.until(lambda: not bench.socket.closed)
            assert all(socket.closed for socket in bench.sockets[:-1])
            assert control.BAD_SERVER not in bench.client.kinds()  # it was the old one's

    run(main())


@pytest.mark.parametrize("joined", [True, False])
def test_configuration_that_comes_while_the_old_one_joins_wins(joined):
    async def main():
        async with Bench() as bench:
            asked = []
            go_on = asyncio.Event()

            async def join(ssid, password, leave):
                asked.append(ssid)
                await go_on.wait()
                return joined or ssid == "new"

            bench.wifi.join = join
            bench.client.configure()
            await bench.until(lambda: asked)
            bench.client.configure((9000, "other", 1500, 0, "new", ""))
            await bench.pause(500)
            go_on.set()
            await bench.until(lambda: bench.client.kinds())
            assert asked == ["net", "new"]
            assert bench.client.kinds() == [UP] and bench.attempts[0][1:] == ("other", 9000)

    run(main())


MALFORMED = [b"\x01", b"\x01" + bytes(9), b"\x01" + bytes(10) + b"\x05abc", b"\x77", b"\x02\x01"]


@pytest.mark.parametrize("record", MALFORMED)
def test_malformed_record_of_the_client_changes_nothing(record):
    async def main():
        async with Bench() as bench:
            bench.client._offers.append((0x40, 0, record))
            await bench.pause(3000)
            assert bench.attempts == [] and not bench.task.done()
            await bench.connected()

    run(main())


# The stream


def test_frames_pass_both_ways_without_keepalives():
    async def main():
        async with Bench() as bench:
            number = await bench.connected()
            bench.client.send(number, FRAME)
            bench.socket.feed(KEEPALIVE + FRAME + KEEPALIVE * 3 + FRAME)
            await bench.until(lambda: bench.client.received() == FRAME * 2)
            assert bench.socket.sent.replace(KEEPALIVE, b"") == PREAMBLE + FRAME
            assert {connection for connection, _ in bench.client.stream} == {number}

    run(main())


def test_data_of_an_old_connection_is_not_forwarded():
    async def main():
        async with Bench() as bench:
            await bench.connected()
            bench.socket.end()
            await bench.until(lambda: bench.client.kinds() == [UP, DOWN, UP])
            bench.client.send(1, FRAME)
            bench.client.send(3, FRAME)
            bench.client.send(2, b"\0\4good")
            await bench.until(lambda: b"good" in bench.socket.sent)
            assert FRAME not in bench.socket.sent

    run(main())


def test_control_records_never_come_from_the_server():
    async def main():
        async with Bench() as bench:
            number = await bench.connected()
            config = encode_config(*CONFIG)
            frame = len(config).to_bytes(2, "big") + config
            bench.socket.feed(frame + b"\0\2" + bytes((DOWN, number)))
            await bench.pause(100)
            assert bench.client.kinds()[:1] == [UP] and bench.client.received() in (frame, b"")

    run(main())


def test_server_that_never_reads_does_not_delay_the_mailbox():
    async def main():
        async with Bench() as bench:
            number = await bench.connected((8123, "server", 60000, 1, "", ""))
            bench.socket.drain(0)
            bench.client.send(number, bytes((3, 232)) + bytes(1000))
            await bench.until(lambda: bench.bridge._uplink.writing)
            late = 0
            for _ in range(200):
                transfers = bench.bus.transfers
                asked = now_ms()
                bench.client_syn(0)
                bench.client_syn(1)
                while bench.bus.transfers == transfers:
                    await bench.pause(1)
                late = max(late, now_ms() - asked)
                await bench.pause(50)
            assert late <= 50 and not bench.task.done()
            bench.socket.drain()
            await bench.until(lambda: len(bench.socket.sent) >= 1006)

    run(main())


def test_socket_that_is_often_full_leaves_no_tasks_behind():
    async def main():
        async with Bench() as bench:
            number = await bench.connected((8123, "server", 60000, 0, "", ""))
            bench.socket.drain(0)
            most = 0
            for _ in range(100):
                bench.client.send(number, FRAME)
                await bench.pause(10)
                bench.socket.drain(len(FRAME))
                most = max(most, len(bench.bridge._tasks))
            assert bench.socket.sent.endswith(90 * FRAME)
            assert most <= 15  # three that last, and those of two rounds of housekeeping

    run(main())


def test_frames_wait_in_the_client_while_the_server_does_not_read():
    async def main():
        async with Bench() as bench:
            number = await bench.connected((8123, "server", 60000, 0, "", ""))
            bench.socket.drain(0)
            frames = [b"\0\5" + b"%05d" % i for i in range(20)]
            for frame in frames:
                bench.client.send(number, frame)
            await bench.pause(5000)
            assert len(bench.client._offers) >= 16
            bench.socket.drain()
            wanted = b"".join(frames)
            await bench.until(lambda: bench.socket.sent.replace(KEEPALIVE, b"").endswith(wanted))

    run(main())


def test_client_asks_to_drop_a_connection():
    async def main():
        async with Bench() as bench:
            number = await bench.connected()
            bench.client.drop(number)
            await bench.until(lambda: bench.client.kinds() == [UP, DOWN, UP])
            await bench.pause(10)
            assert bench.sockets[0].closed and not bench.sockets[1].closed
            for _ in range(30):
                bench.socket.feed(KEEPALIVE)
                await bench.pause(500)
            assert len(bench.sockets) == 2  # the old request does not hit the new connection

    run(main())


def test_edge_that_comes_while_a_transfer_is_fetched_is_not_taken_for_the_one_before():
    async def main():
        async with Bench() as bench:
            number = await bench.connected()
            client, bus = bench.client, bench.bus
            client.beating = False
            await bench.pause(500)
            bench.socket.space = 0  # so that the next transfer, with its STATUS, is not fetched behind this one
            read = bus.readfrom_mem_into
            told_at = []

            def pulsed():
                client.box.publish()
                bench.client_syn(0)
                bench.client_syn(1)

            def read_and_tell(address, at, buf, addrsize):
                fetched = len(buf) > STATUS_BYTES and not told_at
                if fetched:
                    client.send(number, FRAME)
                    client._offer()
                    pulsed()  # this the STATUS behind the transfer says
                read(address, at, buf, addrsize)
                if fetched:
                    client.box.drop(number)
                    pulsed()  # this it does not
                    told_at.append(now_ms())
                    client._syn = lambda level: None

            bus.readfrom_mem_into = read_and_tell
            client.send(number, FRAME)
            await bench.until(lambda: bench.socket.closed)
            assert now_ms() - told_at[0] <= 50  # the next look by the clock is 250 ms away

    run(main())


def test_connection_numbers_wrap_and_are_never_0():
    async def main():
        async with Bench() as bench:
            await bench.connected()
            for _ in range(256):
                count = len(bench.sockets)
                bench.socket.end()
                await bench.until(lambda count=count: len(bench.sockets) > count)
            await bench.pause(100)
            ups = [record[1] for record in bench.client.controls if record[0] == UP]
            assert ups == [*range(1, 256), 1, 2]

    run(main())


def test_client_that_falls_silent_ends_the_connection_and_gets_another_when_it_is_back():
    async def main():
        async with Bench() as bench:
            await bench.connected((8123, "server", 60000, 0, "", ""))
            await bench.pause(10000)
            assert not bench.socket.closed
            bench.client.beating = False
            silent = now_ms()
            await bench.until(lambda: bench.sockets[0].closed)
            assert 2000 <= now_ms() - silent <= 4500
            await bench.pause(10000)
            assert len(bench.sockets) == 1
            bench.client.beating = True
            await bench.until(lambda: len(bench.sockets) == 2)

    run(main())
