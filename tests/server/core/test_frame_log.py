"""`verbose=2` of the server: one line a frame, with its peer."""

import asyncio

from protocol.frame import REFUSED_IDENTITY
from server import client_conn
from tests.server.core.test_listener import shows_nothing_secret
from tests.server.peer import OTHER_KEY, Client, Service, within


def shown_by(verbose, capsys):
    """What a server prints while a client writes a line, gets one, and another is refused."""

    async def main():
        async with Service(verbose=verbose) as service:
            await Client(service.port, key=OTHER_KEY).refused()
            client = Client(service.port)
            await within(client.connect())
            await client.write("from the client")
            await within(client.acknowledged())
            conn = await within(client_conn("a"))
            await within(conn.write("from the server"))
            client.cut()

    asyncio.run(main())
    return capsys.readouterr().out


def test_verbose_2_shows_each_frame_of_a_connection(capsys):
    out = shown_by(2, capsys)
    lines = [line.removeprefix("server: ") for line in out.splitlines() if line.startswith(("server: <", "server: >"))]
    assert all(line.rpartition(" peer=127.0.0.1:")[2].isdigit() for line in lines)
    told = [" ".join(line.split()[:2]) for line in lines]
    assert told[:2] == ["< HELLO", "> REFUSED"] and f"reason={REFUSED_IDENTITY}" in lines[1]
    assert told[2:7] == ["< HELLO", "> WELCOME", "< PROOF", "< RESUME", "> RESUME"]
    assert [line.partition(" seen")[0] for line in lines[7:11]] == [
        "< DATA seq=0 ack=0",
        "> ACK 1",
        "> DATA seq=0 ack=1",
        "< ACK 1",
    ]
    assert "from the" not in out and shows_nothing_secret(out)


def test_verbose_shows_events_and_no_frames(capsys):
    out = shown_by(True, capsys)
    assert "= a connected from" in out and "HELLO" not in out and "DATA" not in out
