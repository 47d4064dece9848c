"""The door, with real sockets: what it serves, to whom, and where it cuts."""

import asyncio
import contextlib
import socket
from types import SimpleNamespace

import pytest
from websockets.exceptions import InvalidStatus

from remote_i2c.web import door as door_module
from remote_i2c.web.door import port_numbers
from remote_i2c.web.session import BAD_MESSAGE, FLOOD, TOO_LATE, WRONG_TOKEN
from tests.patience import PATIENCE_S
from tests.remote_i2c.web.doors import (
    TOKEN,
    fake_bus,
    opened_door,
    opened_page,
    patient,
    probed,
    read,
    write_read,
    written,
)  # fmt: skip
from tests.server.peer import until


def test_calls_reach_the_bus():
    async def play():
        async with opened_door() as door, opened_page(door) as page:
            assert page.welcome[4:] == b"\1\0\1\x20\0\x01" + b"1"
            await page.send(probed(1, 0x48))
            await page.send(probed(2, 0x49))
            await page.send(write_read(3, 0x48, [0x10], 3))
            await page.send(written(4, 0x50, [0x00, 0xAB]))
            await page.send(written(5, 0x50, [0x00]))
            await page.send(read(6, 0x50, 2))
            answers = [await page.answer() for _ in range(6)]
            assert answers == [(1, b"\1"), (2, b"\0"), (3, b"\x10\x11\x12"), (4, b""), (5, b""), (6, b"\xab\0")]

    asyncio.run(play())


async def refused(door, status, **options):
    """The handshake is answered with this status."""
    with pytest.raises(InvalidStatus) as caught:
        async with opened_page(door, **options):
            pass
    assert caught.value.response.status_code == status


async def cut(door, code, *messages, **options):
    """Returns why the door has closed the connection, with this code, after these messages."""
    async with opened_page(door, **options) as page:
        for message in messages:
            await page.socket.send(message)
        found, reason = await page.closed()
        assert found == code, reason
        return reason


async def fetch(door, path, which=0, **headers):
    """Returns (status, {name: value}, body) of a GET."""
    reader, writer = await asyncio.open_connection(*door.addresses[which])
    lines = {"host": f"localhost:{door.addresses[which][1]}", "connection": "close", **headers}
    writer.write(f"GET {path} HTTP/1.1\r\n".encode())
    writer.write("".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode() + b"\r\n")
    async with asyncio.timeout(PATIENCE_S):
        answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *rest = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in rest), body


# Who may come in.


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"listen": "0.0.0.0:8080"}, "give a token"),
        ({"listen": "desk.example:8080"}, "give a token"),
        ({"listen": "[::]:8080"}, "give a token"),
        ({"listen": "0.0.0.0:8080", "token": TOKEN}, "give a certificate"),
        ({"listen": "0.0.0.0:8080", "plain": True}, "give a token"),
        ({"listen": ":8080"}, "names no host"),
        ({"listen": "127.0.0.1"}, "must be HOST:PORT"),
        ({"listen": "127.0.0.1:99999"}, "must be HOST:PORT"),
        ({"token": "short"}, "16 to 256 bytes"),
        ({"token": "x" * 257}, "16 to 256 bytes"),
        ({"origins": ["https://desk.example/app"]}, "without a path"),
        ({"origins": ["*"]}, "is no origin"),
        ({"origins": ["null"]}, "each page can have the origin"),
        ({"origins": ["http://a", "Null"], "chirimen": "127.0.0.1:0", "token": TOKEN}, "each page can have the origin"),
        ({"chirimen": "0.0.0.0:33330", "origins": ["http://a"], "token": TOKEN}, "has no token"),
        ({"chirimen": "127.0.0.1:0"}, "name the origins"),
        ({"chirimen": "127.0.0.1:0", "origins": ["http://a"], "chirimen_bus": "9"}, "has one bus"),
    ],
)
def test_an_open_door_is_not_started(options, says):
    async def play():
        with pytest.raises(ValueError, match=says):
            async with opened_door(**options):
                pass

    asyncio.run(play())


def test_a_token_is_needed_where_there_is_one():
    async def play():
        async with opened_door(token=TOKEN) as door:
            for token, reason in ((b"", "a token is needed"), (b"another token than it", "the token is wrong")):
                assert await cut(door, WRONG_TOKEN, b"\x01\x01" + token, hello=False) == reason
            assert await cut(door, BAD_MESSAGE, probed(1, 0x48), hello=False) == "the first message must be a hello"
            async with opened_page(door, TOKEN) as page:
                await page.send(probed(1, 0x48))
                assert await page.answer() == (1, b"\1")
            assert door.counts.strangers == 2

    asyncio.run(play())


def test_pages_of_other_origins_are_refused_at_the_handshake():
    events = []

    async def play():
        options = {"origins": ["https://desk.example"], "log": lambda event, **details: events.append((event, details))}
        async with opened_door(**options) as door:
            port = door.addresses[0][1]
            for origin in ("https://evil.example", "https://desk.example:444", "http://127.0.0.1:1", "null", "x" * 300):
                await refused(door, 403, origin=origin)
            for origin in (f"http://127.0.0.1:{port}", "https://desk.example", "https://Desk.Example", None):
                async with opened_page(door, origin=origin) as page:
                    assert page.welcome
            assert door.counts.strangers == 5 and door.counts.opened == 4

    asyncio.run(play())
    refusals = [details for event, details in events if event == "web_i2c_refused"]
    assert refusals[0]["value"] == "https://evil.example" and len(refusals[4]["value"]) == 200


def test_a_door_behind_a_proxy_listens_plainly_if_told_so():
    async def play():
        async with opened_door(listen="0.0.0.0:0", token=TOKEN, plain=True) as door, opened_page(door, TOKEN) as page:
            assert page.welcome

    asyncio.run(play())


def test_pages_from_files_are_admitted_with_a_token():
    async def play():
        async with opened_door(origins=["null"], token=TOKEN) as door:
            assert await cut(door, WRONG_TOKEN, b"\x01\x01", hello=False, origin="null") == "a token is needed"
            async with opened_page(door, TOKEN, origin="null") as page:
                assert page.welcome

    asyncio.run(play())


def test_a_name_that_was_made_to_point_here_is_refused():
    """DNS rebinding: the page's origin and the Host are the same foreign name."""

    async def play():
        async with opened_door(hosts=["desk.example"]) as door:
            for host, status in (("evil.example", 421), ("", 421), ("desk.example:80", 200), ("[::1]:8080", 200)):
                assert (await fetch(door, "/", host=host))[0] == status
            upgrade = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-version": "13"}
            key = {"sec-websocket-key": "MDEyMzQ1Njc4OWFiY2RlZg=="}
            headers = {"host": "evil.example", "origin": "http://evil.example", **upgrade, **key}
            assert (await fetch(door, "/i2c", **headers))[0] == 403
            assert door.counts.strangers == 3 and door.counts.opened == 0

    asyncio.run(play())


def test_addresses_that_were_not_named_are_reached_by_nobody():
    async def play():
        bus = fake_bus()
        async with opened_door(bus, {0x48}, chirimen="127.0.0.1:0", origins=["http://a"]) as door:
            async with opened_page(door) as page:
                calls = (probed(1, 0x50), read(1, 0x50, 1), written(1, 0x50, [0]), write_read(1, 0x50, [0], 1))
                for call in (*calls, probed(1, 0xC8)):
                    await page.send(call)
                    assert (await page.answer())[1:3] == ("InvalidAccessError", "EACCES")
            async with opened_page(door, which=1, path="/", hello=False, origin="http://a") as page:
                for call in ("01 00 00 20 50 01", "01 00 00 21 50 01 00", "01 00 00 22 50 01", "01 00 00 23 50 00 01"):
                    data = bytes.fromhex(call)
                    await page.send(data)
                    assert await page.receive() == data[:4] + b"\0"
        assert bus.log == []

    asyncio.run(play())


def test_a_port_that_is_not_there():
    async def play():
        async with opened_door() as door, opened_page(door) as page:
            await page.send(probed(1, 0x48, port=7))
            assert await page.answer() == (1, "OperationError", "ENODEV", "there is no port 7")

    asyncio.run(play())


# Bad input, and too much of it.


def test_cut_frames_get_the_named_error_or_end_the_connection():
    async def play():
        async with opened_door() as door:
            async with opened_page(door) as page:
                await page.send(read(7, 0x48, 1)[:-1])
                assert (await page.answer())[:3] == (7, "InvalidAccessError", "EINVAL")
                await page.send(read(8, 0x48, 9000))
                assert (await page.answer())[:3] == (8, "InvalidAccessError", "EINVAL")
                await page.send(probed(9, 0x48))
                assert await page.answer() == (9, b"\1")
            for message in (b"", b"\xff", b"\x10\0", "text"):
                await cut(door, BAD_MESSAGE, message)
            assert await cut(door, BAD_MESSAGE, b"\x01\x02", hello=False) == (
                "version 2 of the protocol; this door has version 1"
            )
            await cut(door, 1009, bytes(10000))  # RFC 6455 7.4.1: too big
            assert door.counts.connections == 0

    asyncio.run(play())


def test_who_says_nothing_is_cut():
    async def play():
        async with opened_door(limits=patient(hello_ms=50)) as door:
            assert await cut(door, TOO_LATE, hello=False) == "there was no hello"

    asyncio.run(play())


def test_calls_in_flight_are_limited():
    async def play():
        bus = fake_bus()
        bus.gate = asyncio.Event()
        async with opened_door(bus, limits=patient(in_flight=3)) as door, opened_page(door) as page:
            assert page.welcome[2:4] == b"\0\3"
            for id in range(5):
                await page.send(read(id, 0x48, 1))
            for id in (3, 4):
                assert (await page.answer())[:3] == (id, "OperationError", "EAGAIN")
            bus.gate.set()
            assert [(await page.answer())[0] for _ in range(3)] == [0, 1, 2]
            await page.send(read(5, 0x48, 1))
            assert (await page.answer())[0] == 5

    asyncio.run(play())


def test_calls_a_second_are_limited():
    async def play():
        limits = patient(per_second=1e-9, reserve=2)
        async with opened_door(limits=limits) as door, opened_page(door) as page:
            for id in range(3):
                await page.send(probed(id, 0x48))
            answers = [await page.answer() for _ in range(3)]
            assert sorted(answers, key=lambda one: one[0])[2][:3] == (2, "OperationError", "EAGAIN")

    asyncio.run(play())


def test_a_flood_is_cut():
    async def play():
        bus = fake_bus()
        bus.gate = asyncio.Event()
        async with opened_door(bus, limits=patient(in_flight=1, refusals=10)) as door:
            messages = [read(id, 0x48, 1) for id in range(12)]
            assert "11 calls in a row" in await cut(door, FLOOD, *messages)
            assert door.counts.refused == 11

    asyncio.run(play())


def test_connections_are_limited():
    async def play():
        async with opened_door(limits=patient(connections=2)) as door:
            async with opened_page(door), opened_page(door):
                await refused(door, 503)
            while door.counts.connections == 2:
                await asyncio.sleep(0.005)
            async with opened_page(door) as page:
                assert page.welcome

    asyncio.run(play())


def test_answers_do_not_wait_for_the_acknowledgement_of_those_before(monkeypatch):
    """Nagle's algorithm is off: with it 16 concurrent calls took 45 ms on one computer."""
    found = []
    connected = door_module._HTTP.connection_made

    def connection_made(protocol, transport):
        connected(protocol, transport)
        found.append(transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(door_module._HTTP, "connection_made", connection_made)

    async def play():
        async with opened_door() as door, opened_page(door):
            pass

    asyncio.run(play())
    assert found and all(found)


def test_connections_of_one_peer_are_limited_unless_it_is_this_computer(monkeypatch):
    """All come from the loopback, which the door takes for a network in the second part."""
    events = []
    log = lambda event, **details: events.append((event, details))

    async def play():
        async with opened_door(limits=patient(of_peer=1), log=log) as door, opened_page(door), opened_page(door):
            monkeypatch.setattr(door_module, "is_loopback", lambda host: False)
            await refused(door, 503)
            async with opened_page(door, local_addr=("127.0.0.2", 0)) as page:
                assert page.welcome
                await refused(door, 503, local_addr=("127.0.0.2", 0))
            await until(lambda: door.counts.connections == 2, "the end of one")
            async with opened_page(door, local_addr=("127.0.0.2", 0)) as page:
                assert page.welcome

    asyncio.run(play())
    refusals = [details for event, details in events if event == "web_i2c_refused"]
    assert [(one["reason"], one["value"]) for one in refusals] == [("of_peer", "2"), ("of_peer", "1")]
    assert refusals[1]["peer"].startswith("127.0.0.2:")


def test_a_call_that_waits_too_long_is_not_done():
    async def play():
        bus = fake_bus()
        bus.gate = asyncio.Event()
        limits = SimpleNamespace(**vars(patient()))
        async with opened_door(bus, limits=limits) as door, opened_page(door) as page:
            await page.send(written(1, 0x50, [0, 1]))
            await page.send(written(2, 0x50, [0, 2]))
            while door.counts.taken < 2 or not bus.log:
                await asyncio.sleep(0.005)
            limits.call_ms = 1  # from now on: the first one, whose bus has been asked, cannot be late
            await asyncio.sleep(0.01)  # the least that makes the second one late; more does no harm
            bus.gate.set()
            assert await page.answer() == (1, b"")
            assert (await page.answer())[:3] == (2, "OperationError", "ETIMEDOUT")
            assert bus.devices[0x50][0] == 1

    asyncio.run(play())


def test_who_reads_no_answers_is_cut():
    """Its socket is gone, though the answers in its buffers never leave."""

    async def play():
        bus = fake_bus()
        bus.devices[0x50] = bytearray(8192)
        limits = patient(send_ms=50, per_second=1e9, reserve=1e9)
        async with opened_door(bus, limits=limits) as door, opened_page(door) as page:
            wires = page.socket.transport
            wires.pause_reading()
            wires.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            async with asyncio.timeout(PATIENCE_S):
                while not wires.is_closing():  # a reset: a close would wait for the buffers
                    wires.write(_unmasked(read(1, 0x50, 8000)))
                    await asyncio.sleep(0.001)
            assert door.counts.connections == 0

    asyncio.run(play())


def test_pings_of_who_reads_no_pongs_end_the_connection():
    """The bus is asked until the socket takes no more. From then on each pong would stay in the memory."""

    async def play():
        bus = fake_bus()
        bus.devices[0x50] = bytearray(8192)
        limits = patient(per_second=1e9, reserve=1e9)
        async with opened_door(bus, limits=limits) as door, opened_page(door, ping_interval=None) as page:
            wires = page.socket.transport
            wires.pause_reading()
            wires.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sent = 0
            async with asyncio.timeout(PATIENCE_S):
                while door.counts.connections:
                    if sent - door.counts.done < 10:
                        sent += 1
                        wires.write(_unmasked(read(sent, 0x50, 8000)))
                    wires.write(_unmasked(b"", 0x89))
                    await asyncio.sleep(0.001)
            assert 0 < door.counts.done < sent and door.counts.refused == 0
            wires.abort()  # it reads nothing, and would wait for the door's close

    asyncio.run(play())


def test_a_message_may_be_in_fragments_but_not_in_very_many():
    async def play():
        async with opened_door() as door, opened_page(door) as page:
            wires, call = page.socket.transport, probed(1, 0x48)
            for number, octet in enumerate(call):
                wires.write(_unmasked(bytes((octet,)), (0x80 if number == len(call) - 1 else 0) | (0 if number else 2)))
            assert await page.answer() == (1, b"\1")
            wires.write(_unmasked(b"", 0x02) + _unmasked(b"", 0x00) * 63)  # empty, and not the last
            wires.write(_unmasked(call, 0x80))
            assert (await page.closed())[0] == 1006  # RFC 6455 7.4.1: without a close
            await until(lambda: door.counts.connections == 0, "the end")

    asyncio.run(play())


def test_who_answers_no_ping_is_cut():
    async def play():
        async with opened_door(limits=patient(ping_ms=500)) as door, opened_page(door) as page:
            page.socket.transport.pause_reading()
            await until(lambda: door.counts.connections == 0, "the end")

    asyncio.run(play())


async def half_a_request(door):
    """Returns the StreamReader of a connection on which no request comes to its end, and its writer."""
    reader, writer = await asyncio.open_connection(*door.addresses[0])
    writer.write(b"GET / HTTP/1.1\r\n")
    return reader, writer


async def reset(reader):
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read() == b""


def test_connections_that_ask_for_nothing_are_few():
    async def play():
        async with opened_door() as door:
            opened = [await half_a_request(door) for _ in range(door_module._FILE_CONNECTIONS)]
            reader, writer = await half_a_request(door)
            await reset(reader)
            for _, one in (*opened, (reader, writer)):
                one.close()
            while (await fetch_or_none(door, "/")) is None:
                await asyncio.sleep(0.005)

    asyncio.run(play())


async def fetch_or_none(door, path):
    """As fetch, or None if the connection was ended."""
    try:
        return await fetch(door, path)
    except (OSError, IndexError, ValueError):
        return None


def test_connections_that_ask_for_nothing_are_short_and_others_stay(monkeypatch):
    async def play():
        monkeypatch.setattr(door_module, "_FILE_S", 3)  # enough for a handshake
        async with opened_door() as door, opened_page(door) as page:
            reader, writer = await half_a_request(door)
            await reset(reader)
            writer.close()
            await page.send(probed(1, 0x48))
            assert await page.answer() == (1, b"\1")

    asyncio.run(play())


def _unmasked(data, first=0x82):
    """A WebSocket frame of a client, masked with zeros. first: its first byte: 0x80 for the last fragment, and what it
    is: 0 more of a message, 2 binary, 9 a ping. Source: RFC 6455 5.2."""
    return bytes((first, 0x80 | len(data))) + bytes(4) + data


def test_a_page_that_goes_leaves_the_bus_to_others():
    async def play():
        bus = fake_bus()
        bus.gate = asyncio.Event()
        async with opened_door(bus) as door:
            async with opened_page(door) as page:
                await page.send(read(1, 0x48, 1))
                await page.send(written(2, 0x50, [0, 7]))
                while not bus.log:
                    await asyncio.sleep(0.005)
            while door.counts.connections:
                await asyncio.sleep(0.005)
            bus.gate.set()
            async with opened_page(door) as page:
                await page.send(write_read(1, 0x50, [0], 1))
                assert await page.answer() == (1, b"\0")  # what the page had sent last was not done

    asyncio.run(play())


# What it serves.


def test_files_have_the_headers_that_protect_a_page():
    async def play():
        async with opened_door() as door:
            for path, kind in (
                ("/", "text/html"), ("/try.js", "text/javascript"), ("/try.css", "text/css"),
                ("/web_i2c.js", "text/javascript"), ("/web_i2c.mjs", "text/javascript"),
            ):  # fmt: skip
                status, headers, body = await fetch(door, path)
                assert status == 200 and headers["content-type"].startswith(kind) and body
                assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
                assert headers["x-content-type-options"] == "nosniff"
                assert ("access-control-allow-origin" in headers) == path.startswith("/web_i2c")
                assert "server" not in headers
            assert (await fetch(door, "/../pyproject.toml"))[0] == 404
            assert (await fetch(door, "/i2c"))[0] == 404

    asyncio.run(play())


def test_buses_that_are_no_numbers_have_the_lowest_free_ones():
    assert port_numbers(["mast", "1", "pump"]) == {0: "mast", 1: "1", 2: "pump"}
    for names in ([], ["1", "01"], [""], ["x" * 65], [str(one) for one in range(256)]):
        with pytest.raises(ValueError):
            port_numbers(names)


def test_an_address_that_is_taken_raises_and_ends_no_program():
    async def play():
        async with opened_door() as door:
            host, port = door.addresses[0]
            with pytest.raises(OSError):
                async with opened_door(listen=f"{host}:{port}"):
                    pass
            with pytest.raises(OSError, match="/nowhere/cert.pem"):
                async with opened_door(tls=("/nowhere/cert.pem", "/nowhere/key.pem")):
                    pass
            with pytest.raises(ValueError, match=f"certificate {__file__} and its key {__file__} cannot be used"):
                async with opened_door(tls=(__file__, __file__)):
                    pass

    asyncio.run(play())


def test_the_end_of_a_door_ends_its_connections():
    async def play():
        bus = fake_bus()
        bus.gate = asyncio.Event()
        async with contextlib.AsyncExitStack() as later:
            async with opened_door(bus) as door:
                page = await later.enter_async_context(opened_page(door))
                await page.send(read(1, 0x48, 1))
                while not bus.log:
                    await asyncio.sleep(0.005)
            assert (await page.closed())[0] == 1012  # RFC 6455's registry: service restart

    asyncio.run(play())
