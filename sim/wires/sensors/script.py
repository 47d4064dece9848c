"""A measured value as a function of time. Pure."""

from bisect import bisect_right


def script(what):
    """Returns a function (seconds) -> value.

    Args: what: such a function, a number that stays, or points `[seconds, value]` in order of time, with straight lines
    between them; two points at one time are a step. Raises: ValueError.
    """
    if callable(what):
        return what
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
