"""The pieces of a transfer on the I2C bus, for the code that computes it and the code that drives it. Pure."""

from collections import namedtuple

from sim.wires.on_board.i2c_target import READ

# Time that passes on the bus.
Pause = namedtuple("Pause", "us")

# A request to a target. flags: START, READ, NACK, STOP of sim/wires/on_board/i2c_target.py; data: bytes that are
# written to it, or size: bytes that it sends; limit_us: how long it may hold the clock.
Piece = namedtuple("Piece", "port flags limit_us data size")

# ok False: the clock was held longer than the limit, after `moved` bytes.
Answer = namedtuple("Answer", "ok moved held_us data")

# The answer of a target that does not acknowledge its address.
REFUSED = Answer(True, -1, 0, b"")

# The result for the controller's program.
Result = namedtuple("Result", "errno acks data")

# What a tap on the bus may return for a byte, instead of a value 0..255.
LOST, REPEATED, NACKED, CUT = "lost", "repeated", "nacked", "cut"


def crossed(said, value):
    """Returns the bytes that arrive if the tap returns `said` for `value`."""
    if said is LOST:
        return ()
    if said is REPEATED:
        return (value, value)
    return (value if said is NACKED else said,)


class Cut(Exception):
    """Thrown into a transfer at a `Pause`: the controller stopped `elapsed_us` after the pause began."""

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
    """Returns the `answer` of targets in this process. Args: models: mapping of Port owner to TargetModel."""

    def answer(piece):
        model = models[piece.port.owner]
        buf = bytearray(piece.size) if piece.flags & READ else memoryview(piece.data)
        ok = model.transact(piece.flags, piece.limit_us, memoryview(buf))
        data = bytes(buf[: model.moved]) if piece.flags & READ else b""
        return Answer(ok, model.moved, model.held_us, data)

    return answer
