"""The number of open files that may be needed: told once, when it is beyond the limit."""

from server.service.open_files import OpenFiles


def told(limit, *counts):
    found = []
    files = OpenFiles(limit, counts[0], lambda limit, needed: found.append((limit, needed)))
    for count in counts[1:]:
        files.add(count)
    return found


def test_limit_is_told_once_when_it_is_passed():
    assert told(10, 11, 5) == [(10, 11)]
    assert told(10, 8, 1, 1) == []
    assert told(10, 8, 2, 1, 1) == [(10, 11)]
    assert told(10, 9, -5, 6) == []


def test_system_without_a_limit_tells_nothing():
    assert told(None, 1 << 40, 1) == []
