"""A measured value as a function of time. Pure."""

import math
from bisect import bisect_right
from numbers import Real

from sim.wires.own_code import OwnCodeFailed, trace_from


def script(what):
    """Returns a function (seconds) -> value.

    Args: what: such a function, or another object that can be called (the result has it as __wrapped__); a number that
    stays; or points `[seconds, value]` in order of time, with straight lines between them; two points at one time are a
    step. Raises: ValueError; what it returns raises OwnCodeFailed.
    """
    if callable(what):
        return _checked(what)
    if _is_number(what):
        return lambda now: what
    points = _points(what)
    times = [point[0] for point in points]

    def at(now):
        index = bisect_right(times, now)
        if index == 0:
            return points[0][1]
        begin, value = points[index - 1]
        if index == len(points):
            return value
        end, last = points[index]
        return value + (last - value) * (now - begin) / (end - begin)

    return at


def _checked(function):
    """Returns the function, with OwnCodeFailed for what it may do wrong."""
    name = _named(function)

    def at(now):
        try:
            value = function(now)
        except OwnCodeFailed:
            raise
        except Exception as error:  # of whatever kind: it is the user's program
            trace = trace_from(error, error.__traceback__.tb_next)
            raise OwnCodeFailed(f"{name} has raised {type(error).__name__} at {now:.3f} s: {error}", trace)
        if not isinstance(value, Real) or not math.isfinite(value):
            raise OwnCodeFailed(f"{name} has returned {value!r} at {now:.3f} s, not a number")
        return value

    at.__wrapped__ = function
    return at


def _named(function):
    """Returns what is called, in words: with its file and line, if it is written in Python."""
    if hasattr(function, "__name__"):
        name, code = f"the function {function.__name__}", getattr(function, "__code__", None)
    else:
        kind = type(function)
        name, code = f"the object of {kind.__name__}", getattr(kind.__call__, "__code__", None)
    return f"{name} of {code.co_filename}, line {code.co_firstlineno}," if code else name


def _is_number(what):
    return isinstance(what, (int, float)) and not isinstance(what, bool)


def _points(what):
    try:
        points = [(begin, value) for begin, value in what]
    except (TypeError, ValueError):
        points = []
    times = [begin for begin, _ in points]
    if not points or not all(_is_number(part) for point in points for part in point) or times != sorted(times):
        raise ValueError(f"a value is a number, or points [seconds, value] in order of time, not {what!r}")
    return points
