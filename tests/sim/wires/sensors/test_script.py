"""Values as functions of time."""

import pytest

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


@pytest.mark.parametrize("wrong", [[], [[1, 2], [0, 3]], [[1]], "20", [["a", 1]], None, [[0, True]], True])
def test_what_is_no_value_is_refused(wrong):
    with pytest.raises(ValueError, match="a value is a number"):
        script(wrong)
