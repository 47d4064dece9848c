"""The server's time, on channel 4: what `AppBase.utc` does. Loaded when that is called.

A question and its answer go without qos, so neither ever comes late from an earlier connection. Half of the time that
passes between the two is the error: the server reads its clock somewhere in between.

machine.RTC takes whole seconds on most boards. So it is set when a second begins, or a little later.
"""

import time
from asyncio import TimeoutError

from primitives.platform import sleep_ms, ticks_diff, ticks_ms
from primitives.timeout import Timeout, wait_limit
from protocol import const
from protocol.time_messages import decode_answer, encode_question

try:
    from machine import RTC
except ImportError:  # no board, or one without it
    RTC = None

# Questions of one call, and how long the answer to one is waited for.
QUESTIONS = const(5)
ANSWER_MS = 2000  # no const, which a test could not make shorter
# The clock is set at most this late after a second has begun, and in so many seconds at most.
LATE_MS = const(40)
SECONDS = const(3)

_EPOCH = const(946684800)  # of boards that count from 2000
# Of the years that every board's clock has, 2000 to 2099, the first second behind them. They begin at _EPOCH.
_END = const(4102444800)


async def utc(link, channel, timeout_ms, set_rtc):
    """Args: link: Link; channel: its ClientChannel 4. See AppBase.utc."""
    limit = wait_limit(timeout_ms)
    while channel.asking:  # one at a time, or one would take the other's answer
        await _wait(link, limit)
    channel.asking = True
    try:
        now, ticks = await _ask(link, channel, limit)
    finally:
        channel.asking = False
        link.changed.pulse()
    if set_rtc and RTC is not None:
        await _set(RTC(), now, ticks)
    return now + ticks_diff(ticks_ms(), ticks)


async def _wait(link, limit):
    link.raise_if_closed()
    await link.changed.wait(limit)


async def _ask(link, channel, limit):
    """Returns (UTC in ms, ticks_ms at that moment). Raises: asyncio.TimeoutError, LinkDown, RuntimeError: the
    server's clock is wrong."""
    for _ in range(QUESTIONS):
        while not channel.usable():
            await _wait(link, limit)
        await _discard(channel)
        asked = ticks_ms()
        number = asked & 0xFFFF
        await channel.send(encode_question(number), qos=False)
        wait = Timeout(ANSWER_MS if limit is None else min(ANSWER_MS, limit.left()))
        while True:
            try:
                answer = decode_answer((await channel.receive(wait.left())).data)
            except TimeoutError:
                break
            if answer and answer[0] == number:
                now = ticks_ms()
                told = answer[1] // 1000
                if not _EPOCH <= told < _END:
                    raise RuntimeError("the server's clock tells %d s since 1970, not 2000 to 2099: set it" % told)
                return answer[1] + ticks_diff(now, asked) // 2, now
        if limit is not None and limit.expired():
            break
    raise TimeoutError


async def _discard(channel):
    """Drop the answers to questions that nobody waits for any longer."""
    try:
        while True:
            await channel.receive(0)
    except TimeoutError:
        pass


async def _set(rtc, now, ticks):
    """Set the clock. now: UTC in ms at `ticks`. Raises: RuntimeError."""
    for _ in range(SECONDS):
        await sleep_ms(1000 - (now + ticks_diff(ticks_ms(), ticks)) % 1000)
        present = now + ticks_diff(ticks_ms(), ticks)
        if present % 1000 <= LATE_MS:
            rtc.datetime(fields(present // 1000))
            return
    raise RuntimeError("the RTC is not set: the program holds the loop for more than %d ms at a time" % LATE_MS)


def fields(seconds):
    """Returns what RTC.datetime takes for these seconds since 1970. Its days of the week begin with 1, a Monday."""
    found = time.gmtime(seconds - (_EPOCH if time.gmtime(0)[0] == 2000 else 0))
    return found[0], found[1], found[2], found[6] + 1, found[3], found[4], found[5], 0
