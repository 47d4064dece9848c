"""Between proof and RESUME, and between one connection of a client and the next: what the server must not believe."""

import asyncio

import protocol.session
from protocol.frame import PROOF
from protocol.session import RESUMING
from server import client_conn
from tests.server.peer import OTHER_KEY, Client, Forger, Service, until, within


class Mute(Client):
    """Proves who it is and keeps alive, and has nothing else to say."""

    def _flush(self):
        pass


def test_proven_client_that_does_not_resume_is_given_up(monkeypatch, capsys):
    monkeypatch.setattr(protocol.session, "HANDSHAKE_MS", 1000)

    async def main():
        async with Service(verbose=True) as service:
            client = Mute(service.port)
            client._task = asyncio.create_task(client._run())
            await until(lambda: service.connection().nconns == 1, "the proof")
            await client.ended()
            assert not service.connection().status()
            good = Client(service.port)
            await within(good.connect())
            await asyncio.sleep(1.5)
            assert good.up and (await within(client_conn("a"))).nconns == 2

    asyncio.run(main())
    assert capsys.readouterr().out.count("no RESUME in 1000 ms") == 1


class HeldBack(Client):
    """The network keeps what it sends from PROOF on, until `release`."""

    held = None

    def _send_frame(self, frame):
        if frame[0] == PROOF:
            self.held = b""
        super()._send_frame(frame)

    def _send(self, data):
        if self.held is None:
            super()._send(data)
        else:
            self.held += data

    async def hold(self):
        """Returns when the server waits for the proof. The client's power may fail now."""
        self._task = asyncio.create_task(self._run())
        await until(lambda: self.held and self.session.state == RESUMING, "the proof")

    async def release(self):
        """Deliver it, and wait until the server has ended the connection."""
        self._writer.write(self.held)
        await self.ended()


def test_late_proof_of_an_earlier_life_changes_nothing(capsys):
    async def main():
        async with Service() as service:
            before = HeldBack(service.port)
            await before.hold()
            client = Client(service.port)
            await within(client.connect())
            conn = await within(client_conn("a"))
            state = conn._session.peer_epoch, await service.store.peek("a")
            for line in ("one", "two", "three"):
                await client.write(line)
            client.cut()  # the acknowledgements may not have arrived
            await until(lambda: not conn.status(), "the end of the connection")
            await before.release()
            assert (conn._session.peer_epoch, await service.store.peek("a"), conn.nconns) == (*state, 1)
            await within(client.connect())
            await client.write("four")
            assert [await within(conn.readline()) for _ in range(4)] == ["one\n", "two\n", "three\n", "four\n"]

    asyncio.run(main())
    assert capsys.readouterr().out.count("late proof of an earlier handshake (id 'a')") == 1


def test_late_proof_does_not_disturb_the_live_connection():
    async def main():
        async with Service() as service:
            before = HeldBack(service.port)
            await before.hold()
            client = Client(service.port)
            await within(client.connect())
            await before.release()
            await client.write("undisturbed")
            conn = await within(client_conn("a"))
            assert await within(conn.readline()) == "undisturbed\n"
            assert client.up and conn.nconns == 1

    asyncio.run(main())


def test_later_handshake_takes_over_although_an_unproven_one_came_after_it():
    async def main():
        async with Service() as service:
            client = HeldBack(service.port)
            await client.hold()
            for nobody in (Client(service.port, key=OTHER_KEY), Forger(service.port)):
                await nobody.refused()
            client._writer.write(client.held)
            client.held = None
            await until(lambda: client.up, "the connection")

    asyncio.run(main())
