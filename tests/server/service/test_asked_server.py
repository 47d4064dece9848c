"""How a command asks the running server for a bus, and what it says when that cannot be."""

import asyncio
import os
import socket
from errno import EHOSTDOWN, EPROTO

import pytest

from remote_i2c.asked import AskedBus, answer_to
from remote_i2c.errors import LINK, BusError
from remote_i2c.messages import read
from remote_i2c.shared import SharedBus
from server.service import asked_server
from server.service.admin import AdminServer
from server.service.asked_server import asker, bus_maker
from tests.patience import PATIENCE_S
from tests.remote_i2c.fake_bus import FakeBus


def failing(path):
    """Returns the BusError of a question."""

    async def main():
        with pytest.raises(BusError) as raised:
            await asker(str(path))({"bus": "1"})
        return raised.value

    return asyncio.run(main())


def serving(path, ask):
    """Returns (answer or None, BusError or None) of a question to a server whose gateways are asked by `ask`."""

    async def main():
        admin = AdminServer(str(path), None, None, None, None, ask)
        await admin.start()
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asker(str(path))({"bus": "1"}), None
        except BusError as error:
            return None, error
        finally:
            admin.close()

    return asyncio.run(main())


def test_the_gateway_is_asked(tmp_path):
    async def ask(name, request):
        return {"of": name, "asked": request}

    assert serving(tmp_path / "s", ask) == ({"of": "i2c", "asked": {"bus": "1"}}, None)


def test_what_the_server_refuses_is_told(tmp_path):
    async def ask(name, request):
        raise ValueError("timeout_ms must be 1 to 60000")

    _, error = serving(tmp_path / "s", ask)
    assert (error.errno, error.place) == (EPROTO, LINK) and "timeout_ms must be" in str(error)


def test_a_server_that_is_not_there_is_told(tmp_path):
    error = failing(tmp_path / "none")
    assert (error.errno, error.place) == (EHOSTDOWN, LINK)
    assert "no server runs here" in str(error) and "--config FILE" in str(error)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "dead"))  # of a server that was killed
        assert "no server runs here" in str(failing(tmp_path / "dead"))


def test_a_server_of_another_user_is_told(tmp_path, monkeypatch):
    async def refused(*_, **more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(asyncio, "open_unix_connection", refused)
    assert "another user's" in str(failing(tmp_path / "s"))


def test_a_server_that_is_silent_or_ends_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(asked_server, "ANSWER_S", 0.05)

    async def ask(name, request):
        await asyncio.sleep(PATIENCE_S)

    _, error = serving(tmp_path / "s", ask)
    assert "has not answered in 0.05 s" in str(error)


def test_a_server_that_ends_before_it_answers_is_told(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        async def main():
            loop = asyncio.get_running_loop()
            listening.setblocking(False)

            async def end():
                (taken, _) = await loop.sock_accept(listening)
                taken.close()

            ending = asyncio.create_task(end())
            with pytest.raises(BusError, match="ended before it answered|cannot be asked"):
                await asker(str(path))({"bus": "1"})
            await ending

        asyncio.run(main())


def test_a_bus_is_used_again_when_its_server_is_back(tmp_path):
    path, shared = tmp_path / "s", SharedBus(FakeBus({0x48: bytearray(range(256))}), {0x48})

    async def ask(name, request):
        return await answer_to(lambda name: shared, request)

    async def main():
        bus, found = AskedBus("client:pump:0", asker(str(path))), []
        for runs in (True, False, True):
            if runs:
                admin = AdminServer(str(path), None, None, None, None, ask)
                await admin.start()
            try:
                found.append(await bus.transfer([read(0x48, 1)]))
            except BusError as error:
                found.append(error.errno)
            if runs:
                admin.close()
        return found

    assert asyncio.run(main()) == [[b"\0"], EHOSTDOWN, [b"\0"]]


def test_a_question_that_is_cancelled_ends_at_once(tmp_path):
    begun = asyncio.Event()

    async def ask(name, request):
        begun.set()
        await asyncio.Event().wait()

    async def main():
        admin = AdminServer(str(tmp_path / "s"), None, None, None, None, ask)
        await admin.start()
        call = asyncio.create_task(asker(str(tmp_path / "s"))({"bus": "1"}))
        await begun.wait()
        call.cancel()
        done, _ = await asyncio.wait([call], timeout=PATIENCE_S)
        admin.close()
        return call.cancelled() and call in done

    assert asyncio.run(main())


def test_only_buses_of_clients_are_asked_for(tmp_path):
    make = bus_maker(os.fspath(tmp_path / "s"))
    assert make("client:pump:0", "1").name == "client:pump:0"
    with pytest.raises(ValueError, match="names no bus"):
        make("horse", "1")
