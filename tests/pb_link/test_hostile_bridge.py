"""Whatever the bridge writes into the mailbox, the client's loop goes on, and a good bridge is served afterwards."""

import asyncio
import random

import pytest

from pb_link.limits import BEAT_MS
from protocol import control, frame
from protocol import mailbox as box
from protocol.limits import MAX_FRAME
from protocol.responder import Responder
from protocol.sequence import put16
from tests.link.virtual import run
from tests.pb_link.board import KEY, Board
from tests.protocol.transfers import sealed

MICROPYTHON = False
MICROPYTHON_REASON = "uses pytest and the virtual clock"

STEPS = 400


class HostileBridge:
    """Writes into the mailbox of a board what passes the checks and makes no sense otherwise."""

    def __init__(self, board, rng):
        self.board = board
        self.rng = rng
        self.memory = board.bus.target.mem
        self.target = board.app._link._box

    def write(self, at, data):
        self.board.bus.writeto_mem(box.ADDRESS, at, data, box.ADDRESS_BITS)

    def act(self):
        acts = (self.transfer,) * 8 + (self.welcome, self.sync, self.acknowledge, self.damage, self.flip)
        self.rng.choice(acts)()

    def sync(self, epoch=None, longest=None):
        cell = bytearray(box.SYNC_BYTES)
        if epoch is None:
            epoch = self.rng.choice((0, 1, 0xFFFF, self.rng.randrange(65536)))
            longest = self.rng.choice((0, 1, 7, 127, 128, box.PAYLOAD, 0xFFFF))
        box.encode_sync_into(cell, 0, epoch, self.target.status.target_epoch, longest)
        self.write(box.SYNC, cell)

    def acknowledge(self):
        if self.target.synchronised:
            cell = bytearray(box.ACK_BYTES)
            number = (self.target.status.base + self.rng.choice((0, 1, 2, 3, 128, 255))) & 0xFF
            box.encode_ack_into(cell, 0, self.target._epochs, number)
            self.write(box.ACK, cell)

    def damage(self):
        at = self.rng.randrange(len(self.target._memory))
        size = self.rng.choice((1, 4, 16, box.SLOT))
        self.write(at, self.rng.randbytes(min(size, len(self.target._memory) - at)))

    def flip(self):
        at = self.rng.choice((box.SYNC, box.ACK, box.RX)) + self.rng.randrange(box.HEADER)
        self.write(at, bytes((self.memory[at] ^ 1 << self.rng.randrange(8),)))

    def transfer(self, kind=None, connection=None, payload=None):
        """The transfer that the client expects next, its check right."""
        if not self.target.synchronised:
            return
        kind = self.rng.choice((0, 1, 0x40, 0x41, 0x80, 0xC0, 0xFF)) if kind is None else kind
        if connection is None:
            connection = self.rng.choice((0, self.in_use, self.rng.randrange(256)))
        if payload is None:
            payload = self.record() if kind & box.KIND == box.CONTROL else self.stream()
        number = self.target.status.next
        acknowledged = self.rng.randrange(256)
        buf = sealed(box.FROM_CONTROLLER, self.target._epochs, payload, number, kind, connection, acknowledged)
        self.write(box.RX, buf)

    @property
    def in_use(self):
        """Number of the connection that the client uses, or 0."""
        return self.board.app._link._number

    def welcome(self):
        """What the server answers, so that the client goes on to the session's frames."""
        connection = self.board.app._link.connection
        responder = Responder()
        initiator = getattr(connection, "_initiator", None)  # of an Opening
        if initiator and not responder.hello(initiator._hello):
            body = responder.challenge(KEY, self.rng.randbytes(8), self.rng.randbytes(16))
            self.transfer(box.DATA, self.in_use, bytes((0, len(body))) + body)

    def record(self):
        kind = self.rng.choice((control.UP, control.UP, control.DOWN, control.REPORT, self.rng.randrange(256)))
        number = self.rng.choice((0, 1, 255, self.in_use))
        rest = self.rng.randbytes(self.rng.choice((0, 0, 11, 12, 1000)))
        return self.rng.choice((bytes((kind,)), bytes((kind, number)) + rest))

    def stream(self):
        """Frames of all kinds, cut where it may be, or no frames at all."""
        body = bytearray(self.rng.randbytes(self.rng.choice((0, 1, 3, 17, 60, 61, MAX_FRAME - 2))))
        if body:
            body[0] = self.rng.choice((frame.WELCOME, frame.REFUSED, frame.RESUME, frame.DATA, body[0]))
        prefix = bytearray(2)
        put16(prefix, 0, self.rng.choice((len(body), len(body), 0, 1, 2, 1023, 0xFFFF)))
        data = prefix + body
        return bytes(data[: self.rng.randrange(1, len(data) + 1)]) if self.rng.random() < 0.3 else bytes(data)


@pytest.mark.parametrize("kind", [box.DATA, box.DATA | box.FRAME_END, 0x80])
def test_data_without_a_connection_is_ignored(kind):
    async def main():
        async with Board() as board:
            await board.synchronise()
            await board.fetch()
            HostileBridge(board, random).transfer(kind, 0, b"\x00\x03abc")
            await board.pause(100)
            assert not board.link.done() and board.app._link._box.status.next == 1

    run(main())


@pytest.mark.parametrize("seed", range(40))
def test_nothing_in_the_mailbox_ends_the_loop(seed):
    async def main():
        rng = random.Random(seed)
        async with Board(rst=False) as board:
            await board.synchronise()
            bridge = HostileBridge(board, rng)
            for _ in range(STEPS):
                bridge.act()
                await asyncio.sleep(rng.choice((0, 0, 0.001, 0.3)))
                assert not board.link.done(), board.link.exception()
            await serves_a_good_bridge(board)

    run(main())


async def serves_a_good_bridge(board):
    await board.pause(BEAT_MS)  # heals the cells that the client writes
    board.power_bridge()
    await board.synchronise()
    assert control.decode_config(await board.fetch())
    await board.tell(bytes((control.UP, 9)))
    assert (await board.fetch())[2] == frame.HELLO


@pytest.mark.parametrize(("epoch", "longest"), [(7, 0), (7, 1), (7, 127), (0, box.PAYLOAD)])
def test_sync_without_an_epoch_or_the_room_for_a_frame_is_not_taken(epoch, longest):
    async def main():
        async with Board() as board:
            target = board.app._link._box
            await board.synchronise()
            HostileBridge(board, random).sync(epoch, longest)
            await board.pause(50)
            assert target.synchronised and target.resyncs == 1 and target.max_payload == box.PAYLOAD
            await serves_a_good_bridge(board)

    run(main())
