"""A client whose generator of random bytes gives the same ones after each boot."""

import random

import pytest

from i2c_devices.packet_target import PacketTarget
from i2c_devices.ports import TargetPort
from i2c_devices.stream_target import StreamTarget
from primitives import nonces
from protocol import control
from protocol.responder import Responder
from tests.link.harness import Bus
from tests.link.virtual import now_ms, run
from tests.pb_link.board import KEY, Board

MICROPYTHON = False
MICROPYTHON_REASON = "uses pytest and the virtual clock"

HELLO_AT = 2  # behind the length prefix


@pytest.fixture
def repeating(monkeypatch):
    """os.urandom(16) is always the same; the moment is the time since the client's boot in ms."""
    booted = [0]
    monkeypatch.setattr(nonces.os, "urandom", lambda count: bytes(range(count)))
    monkeypatch.setattr(nonces, "moment", lambda: (now_ms() - booted[0]).to_bytes(4, "big"))
    return booted


async def life(booted, connections, after_ms=0):
    """Returns the HELLOs (epoch, nonce) of a life of the client, on connections of these numbers."""
    found = []
    booted[0] = now_ms()
    async with Board() as board:
        await board.pause(after_ms)
        await board.synchronise()
        assert control.decode_config(await board.fetch())
        for number in connections:
            await board.tell(bytes((control.UP, number)))
            hello = Responder()
            assert hello.hello((await board.fetch())[HELLO_AT:]) is None and hello.fits(KEY)
            found.append((hello.peer_epoch, hello._hello[10:26]))
    return found


def bridges(monkeypatch, numbers):
    """The bridges draw these epochs, one after the other."""
    numbers = list(numbers)
    monkeypatch.setattr(random, "randbytes", lambda n: numbers.pop(0).to_bytes(n, "big"))


def test_connections_of_a_life_have_its_epoch_and_nonces_of_their_own(repeating):
    first, second, third = run(life(repeating, (1, 2, 1)))
    assert first[0] == second[0] == third[0] and len({first[1], second[1], third[1]}) == 3


@pytest.mark.parametrize("differs", ["moment", "bridge's epoch", "connection"])
def test_lives_differ_in_epoch_and_nonce_if_one_thing_does(repeating, monkeypatch, differs):
    bridges(monkeypatch, (5, 6) if differs == "bridge's epoch" else (5, 5))
    (first,) = run(life(repeating, (1,)))
    second_number = 2 if differs == "connection" else 1
    (second,) = run(life(repeating, (second_number,), 1 if differs == "moment" else 0))
    assert first[0] != second[0] and first[1] != second[1]


def test_lives_that_differ_in_nothing_say_the_same_hello(repeating, monkeypatch):
    """So the tests above show something; and docs/protocol.md section 5 tells what is required of a board."""
    bridges(monkeypatch, (5, 5))
    assert run(life(repeating, (1,))) == run(life(repeating, (1,)))


def test_recorded_server_is_not_believed_by_the_next_life(repeating, monkeypatch):
    bridges(monkeypatch, (5, 5))

    async def handshake(record, after_ms):
        """Returns what the client says to WELCOME: the recorded one, or a new one."""
        repeating[0] = now_ms()
        async with Board() as board:
            await board.pause(after_ms)
            await board.synchronise()
            await board.fetch()
            await board.tell(bytes((control.UP, 1)))
            responder = Responder()
            assert responder.hello((await board.fetch())[HELLO_AT:]) is None
            welcome = record or responder.challenge(KEY, b"S" * 8, b"n" * 16)
            connection = board.app._link.connection
            connection.receive(welcome, 0)
            return welcome, connection._reply

    welcome, proof = run(handshake(None, 0))
    assert proof
    assert run(handshake(welcome, 1)) == (welcome, None)


@pytest.mark.parametrize("device", [StreamTarget, PacketTarget])
def test_device_on_a_board_without_a_generator_asks_for_a_life(monkeypatch, device):
    monkeypatch.delattr("os.urandom")
    port = TargetPort(Bus().open_target)
    with pytest.raises(RuntimeError, match="no os.urandom.*life="):
        device(port)
    device(port, life=7)
