"""build/bench/channels.py: what it measures is the same every time, and a channel that is read is no full one."""

import asyncio

import pytest

from build.bench.bed import COSTS
from build.bench.channels import Echo, Stream


@pytest.mark.parametrize("direction", ["up", "down"])
def test_same_messages_give_the_same_figures(direction):
    one, again = (Stream(direction, COSTS["zero"]).measure(0.5) for _ in range(2))
    assert one == again > 20


def test_full_channel_slows_no_other():
    alone, beside = (Echo(COSTS["zero"], full=full, count=20).measure() for full in (False, True))
    assert len(alone) == len(beside) == 20
    assert beside[10] <= 1.2 * alone[10]


def test_channel_that_never_fills_is_no_figure():
    class Read(Echo):
        async def _answer(self, conn, channel):
            unread = conn.channel(21)

            async def read():
                while True:
                    await unread.receive()

            await asyncio.gather(read(), super()._answer(conn, channel))

    with pytest.raises(RuntimeError, match="was not full"):
        Read(COSTS["zero"], full=True, count=20).measure()
