"""Values as functions of time."""

from functools import partial

import pytest

from sim.wires.own_code import OwnCodeFailed
from sim.wires.sensors.script import script


def test_a_number_stays():
    assert [script(3.5)(when) for when in (0, 1000)] == [3.5, 3.5]


def test_points_are_joined_by_lines():
    at = script([[1, 20.0], [3, 30.0], [4, 10.0]])
    assert [at(when) for when in (0, 1, 2, 3, 3.5, 4, 99)] == [20, 20, 25, 30, 20, 10, 10]


def test_two_points_at_one_time_are_a_step():
    at = script([[0, 1], [5, 1], [5, 2]])
    assert [at(4.999), at(5), at(6)] == [1, 2, 2]


def test_function_is_taken_as_it_is():
    assert script(lambda now: now * 2)(4) == 8


class Tide:
    """An object that is called."""

    def __init__(self, result):
        self.result = result

    def __call__(self, now):
        return self.result


def test_object_that_is_called_is_checked_as_a_function_is():
    tide = Tide(2.5)
    assert script(tide)(1) == 2.5 and script(tide).__wrapped__ is tide
    with pytest.raises(OwnCodeFailed, match=r"the object of Tide of .*test_script.py, line \d+, has returned 'low' at"):
        script(Tide("low"))(1)
    with pytest.raises(OwnCodeFailed, match="the object of partial has raised TypeError at 0.000 s"):
        script(partial(divmod, "a"))(0)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), "1", 1j])
def test_function_that_returns_no_number_is_named(value):
    with pytest.raises(OwnCodeFailed, match=r"the function depth of .*, line \d+, has returned .* at 7.000 s, not"):

        def depth(now):
            return value

        script(depth)(7)


@pytest.mark.parametrize("wrong", [[], [[1, 2], [0, 3]], [[1]], "20", [["a", 1]], None, [[0, True]], True])
def test_what_is_no_value_is_refused(wrong):
    with pytest.raises(ValueError, match="a value is a number"):
        script(wrong)
