"""What a transfer on the I2C bus is made of, for those who compute it and those who drive it. Pure."""

from collections import namedtuple

from sim.wires.on_board.i2c_target import READ

# Time that passes on the bus.
Pause = namedtuple("Pause", "us")

# What a target must answer. flags: START, READ, NACK, STOP of sim/wires/on_board/i2c_target.py; data: bytes that are
# written to it, or size: bytes that it sends; limit_us: how long it may hold the clock.
Piece = namedtuple("Piece", "port flags limit_us data size")

# ok False: the clock was held longer than the limit, after `moved` bytes.
Answer = namedtuple("Answer", "ok moved held_us data")

# What the controller's program gets.
Result = namedtuple("Result", "errno acks data")

# What a tap on the bus may say of a byte, instead of a value 0..255.
LOST, REPEATED, NACKED, CUT = "lost", "repeated", "nacked", "cut"


def crossed(said, value):
    """The bytes that arrive where the tap says `said` of `value`."""
    if said is LOST:
        return ()
    if said is REPEATED:
        return (value, value)
    return (value if said is NACKED else said,)


class Cut(Exception):
    """Thrown into a transfer at a `Pause`: the controller vanished after `elapsed_us` of it."""

    def __init__(self, elapsed_us):
        super().__init__(elapsed_us)
        self.elapsed_us = elapsed_us


def run_whole(transfer, answer):
    """Runs a transfer at once. Args: answer(piece) -> Answer. Returns (Result, microseconds)."""
    elapsed_us, reply = 0.0, None
    while True:
        try:
            step = transfer.send(reply)
        except StopIteration as end:
            return end.value, elapsed_us
        if isinstance(step, Pause):
            elapsed_us += step.us
            reply = None
        else:
            reply = answer(step)


def answer_from(models):
    """The `answer` of targets that live in this process. Args: models: mapping of Port owner to TargetModel."""

    def answer(piece):
        model = models[piece.port.owner]
        buf = bytearray(piece.size) if piece.flags & READ else memoryview(piece.data)
        ok = model.transact(piece.flags, piece.limit_us, memoryview(buf))
        data = bytes(buf[: model.moved]) if piece.flags & READ else b""
        return Answer(ok, model.moved, model.held_us, data)

    return answer
