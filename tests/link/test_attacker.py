"""Whoever sits between bridge and server can delay and cut; a wrong line is never delivered."""

import asyncio
import random

import pytest

import esp_link.bridge
import pb_link.connection
import protocol.session
import server.core.listener
from protocol import mailbox
from protocol.frame import FrameSeal
from tests.link import harness
from tests.link.attacker import HARMS, Attacker
from tests.link.harness import exchange, numbered
from tests.server.peer import OTHER_KEY, until, within


@pytest.fixture(autouse=True)
def quick_recovery(monkeypatch):
    """A frame that was swallowed is noticed by time alone: that is shortened here."""
    monkeypatch.setattr(esp_link.bridge, "_RECONNECT_FIRST_MS", 20)
    monkeypatch.setattr(esp_link.bridge, "_RECONNECT_LAST_MS", 60)
    monkeypatch.setattr(pb_link.connection, "HANDSHAKE_MS", 500)
    monkeypatch.setattr(protocol.session, "HANDSHAKE_MS", 500)
    monkeypatch.setattr(protocol.session, "STALL_MS", 500)
    monkeypatch.setattr(server.core.listener, "HELLO_MS", 500)
    monkeypatch.setattr(server.core.listener, "HANDSHAKE_MS", 500)


class System(harness.System):
    """Its bridge connects to the attacker. A swallowed frame is noticed soon."""

    def __init__(self, attacker=None, **how):
        super().__init__(timeout=1000, port=attacker and attacker.port, **how)
        if attacker:
            attacker.server_port = self.service.port


@pytest.mark.parametrize("harm", HARMS)
def test_no_harm_to_frames_harms_a_line(harm):
    async def main():
        async with Attacker(random.Random(harm)) as attacker:
            async with System(attacker) as system:
                await system.connected()
                attacker.harm = harm
                attacker.limit = 6
                await exchange(system, numbered(400, 60, "u"), numbered(400, 60, "d"))
                assert attacker.harmed >= 3 and system.chip.boots == 1
                assert attacker.connections > 1 or harm == "drop"

    asyncio.run(main())


def test_every_handshake_is_harmed_and_no_session_begins():
    async def main():
        async with Attacker(random.Random(2)) as attacker:
            attacker.harm = "flip"
            attacker.rate = 1.0
            attacker.limit = 12
            async with System(attacker) as system:
                await until(lambda: attacker.limit == 0, "the harm")
                conn = system.service.connection()
                assert conn.nconns == 0 or not conn.status()
                await exchange(system, numbered(20), numbered(20))
                assert system.app.failures == ["server"]

    asyncio.run(main())


def test_bridge_that_writes_into_the_mailbox_before_a_frame_is_signed_alters_nothing(monkeypatch):
    ours, its = "open the window", "fire the rocket"
    real = FrameSeal.seal

    async def main():
        async with System() as system:
            conn = await system.connected()
            memory = system.bus.target.mem

            def seal(of, buf, start, end):
                at = memory.find(ours.encode())
                if at >= 0:  # bytes of the target move in an interrupt handler: no Python of the client runs
                    system.bus.writeto_mem(mailbox.ADDRESS, at, its.encode(), mailbox.ADDRESS_BITS)
                return real(of, buf, start, end)

            monkeypatch.setattr(FrameSeal, "seal", seal)
            await within(system.app.write(ours, wait=False))
            assert await within(conn.readline()) == ours + "\n"

    asyncio.run(main())


def test_server_with_another_key_learns_and_tells_nothing():
    async def main():
        async with System(key=OTHER_KEY) as system:
            await until(lambda: system.app.failures, "the failure")
            writing = asyncio.create_task(system.app.write("secret"))
            await until(lambda: sum(system.service.events.refusals.values()) >= 2, "the next attempt")
            assert not writing.done() and not system.app.status()
            assert system.service.connection().nconns == 0
            writing.cancel()
            await within(asyncio.wait([writing]))

    asyncio.run(main())
