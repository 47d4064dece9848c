"""Between proof and RESUME, and between one connection of a client and the next: what the server must not believe."""

import asyncio

import server.connection
from server import client_conn
from tests.server.peer import Client, Service, until, within


class Mute(Client):
    """Proves who it is and keeps alive, and has nothing else to say."""

    def _flush(self):
        pass


def test_proven_client_that_does_not_resume_is_given_up(monkeypatch, capsys):
    monkeypatch.setattr(server.connection, "HANDSHAKE_MS", 400)

    async def main():
        async with Service(verbose=True) as service:
            client = Mute(service.port)
            client._task = asyncio.create_task(client._run())
            await until(lambda: service.connection().nconns == 1, "the proof")
            await client.ended()
            assert not service.connection().status()
            good = Client(service.port)
            await within(good.connect())
            await asyncio.sleep(0.6)
            assert good.up and (await within(client_conn("a"))).nconns == 2

    asyncio.run(main())
    assert capsys.readouterr().out.count("no RESUME in 400 ms") == 1
