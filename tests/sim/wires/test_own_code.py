"""Exceptions that come through a user's file are told with their place in it."""

import runpy

import pytest

from sim.wires.own_code import OwnCodeFailed, failure_in

OWN = """
class Probe:
    def refresh(self):
        return self.scaled(0)

    def scaled(self, value):
        return 1 / value
"""


@pytest.fixture
def raised(tmp_path):
    """(path, an exception that has come through this file)."""
    path = tmp_path / "world.py"
    path.write_text(OWN)
    with pytest.raises(ZeroDivisionError) as found:
        runpy.run_path(str(path))["Probe"]().refresh()
    return path, found.value


def test_the_method_that_was_called_first_is_named_and_the_rest_traced(raised):
    path, error = raised
    failure = failure_in(path, error)
    assert str(failure) == f"Probe.refresh of {path}, line 4, has raised ZeroDivisionError: division by zero"
    assert "return 1 / value" in failure.trace and __file__ not in failure.trace


def test_exception_of_another_file_is_not_the_users(raised):
    path, error = raised
    assert failure_in(path.with_name("other.py"), error) is None and failure_in(None, error) is None
    assert failure_in(path, ValueError("never raised")) is None


def test_failure_that_is_known_stays_as_it_is():
    known = OwnCodeFailed("one line", "its trace")
    assert failure_in(None, known) is known and known.trace == "its trace"
