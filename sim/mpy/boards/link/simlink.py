"""A board's end of its link to the wire process: requests, and what arrives in between (edges, I2C pieces).

MicroPython only, for all kinds of boards. Everything that a stand-in does goes through `call`. What the wire process
sends on its own is served inside `call`, `service` and `wait`: that is when a board of bed *mpy* can be interrupted.
Frames, both ways:

| offset | size | field |
|---|---|---|
| 0 | 1 | kind, low 5 bits; nesting level of the request, high 3 bits |
| 1 | 1 | a: a handle (pin, bus, target) |
| 2 | 2 | length of the payload, little-endian |
| 4 | 1 | b; in a reply the errno |
| 5 | 1 | c |
| 6 | 2 | d, little-endian; in a reply the value |
| 8 | .. | payload |
"""

import usys
from uselect import poll as _poll
from utime import ticks_add, ticks_diff, ticks_ms

try:
    from micropython import const
except ImportError:
    const = lambda x: x

REPLY = const(1)
EDGE = const(2)
PIECE = const(3)
MEASURE = const(4)

file = None
on = {}  # kind -> function(a, b, d, payload_length), which reads its own payload from `file`
queue_depth = 8  # callbacks that the scheduler holds; more are lost (MICROPY_SCHEDULER_DEPTH of the port)
lost = 0
held_us = None  # a hard I2C handler is running: for how long it has slept

_LEVELS = const(8)
_head = bytearray(8)
_into = [None] * _LEVELS
_errno = [0] * _LEVELS
_value = [0] * _LEVELS
_queue = []
_level = 0
_in_soft = False
_link = None


def attach(fd):
    global file, _link
    file = open(fd, "r+b")
    _link = _poll()
    _link.register(file, 1)


def send(kind, a, b, c, d, size):
    head = _head
    head[0] = kind
    head[1] = a
    head[2] = size & 255
    head[3] = size >> 8
    head[4] = b
    head[5] = c
    head[6] = d & 255
    head[7] = d >> 8
    file.write(head)


def call(kind, a=0, b=0, c=0, d=0, data=None, head=None, into=None):
    """One request. `head` and `data` are sent one after the other, the reply's payload goes to the start of `into`.

    Returns the reply's value. Raises: OSError with the reply's errno.
    """
    global _level
    level = _level
    _level = level + 1
    _into[level] = into
    _errno[level] = -1
    send(kind | level << 5, a, b, c, d, (len(head) if head else 0) + (len(data) if data else 0))
    if head:
        file.write(head)
    if data:
        file.write(data)
    while _errno[level] < 0:
        _serve()
    _level = level
    errno = _errno[level]
    value = _value[level]
    run_soft()
    if errno:
        raise OSError(errno)
    return value


def _serve():
    """Takes one frame."""
    head = _head
    if file.readinto(head) != 8:
        raise SystemExit(3)  # the wire process is gone
    kind = head[0] & 31
    size = head[2] | head[3] << 8
    if kind == REPLY:
        level = head[0] >> 5
        errno = head[4]
        _value[level] = head[6] | head[7] << 8
        if size:
            into = _into[level]
            file.readinto(into if size == len(into) else memoryview(into)[:size])
        _into[level] = None
        _errno[level] = errno
    else:
        on[kind](head[1], head[4], head[6] | head[7] << 8, size)


def _arrived(ms):
    arrived = False
    for _ in _link.ipoll(ms):
        arrived = True
    return arrived


def service(ms=0):
    """Takes what has arrived, or arrives within `ms`, then runs the soft callbacks."""
    while _arrived(ms):
        _serve()
        ms = 0
    run_soft()


def wait(ms):
    """Sleeps, and serves meanwhile."""
    end = ticks_add(ticks_ms(), ms)
    service()
    while (left := ticks_diff(end, ticks_ms())) > 0:
        service(left)


def schedule(function, argument):
    """A soft interrupt: the function is called at the next safe point, or never if the queue is full."""
    global lost
    if len(_queue) >= 2 * queue_depth:
        lost += 1
        return
    _queue.append(function)
    _queue.append(argument)


def run_soft():
    global _in_soft
    if _in_soft or _level:
        return
    while _queue:
        function = _queue.pop(0)
        argument = _queue.pop(0)
        _in_soft = True
        try:
            function(argument)
        except Exception as exception:  # as the port does: printed, and the program goes on
            usys.print_exception(exception)
        finally:
            _in_soft = False


def run_hard(function, argument):
    """A hard interrupt: now. False if it failed, after which the port switches the interrupt off."""
    global _level
    _level += 1  # soft callbacks wait, and replies to the handler's own requests are told apart
    try:
        function(argument)
    except Exception as exception:
        print("Uncaught exception in IRQ callback handler")
        usys.print_exception(exception)
        return False
    finally:
        _level -= 1
    return True
