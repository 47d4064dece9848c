"""The wall-clock times of samples, whatever the delays of batches are."""

import random

from server.core.sensor_clock import DRIFT_PPM, PER_SECOND, SensorClock

UTC = 1_700_000_000.0
HOUR = 3600 * PER_SECOND


def test_error_is_the_delay_of_the_fastest_batch():
    clock = SensorClock()
    for second, delay_s in enumerate((0.5, 0.2, 0.8, 0.02, 0.6)):
        clock.note(second * PER_SECOND, UTC + second + delay_s)
    assert abs(clock.utc(2 * PER_SECOND) - (UTC + 2.02)) < 1e-6


def test_batches_that_an_outage_has_held_do_not_spoil_it():
    clock = SensorClock()
    clock.note(0, UTC + 0.01)
    for second in range(1, 3600):  # all come together, an hour later
        clock.note(second * PER_SECOND, UTC + 3600)
    assert abs(clock.utc(HOUR) - (UTC + 3600)) <= 0.01 + 3600 * DRIFT_PPM / 1e6


def test_drift_of_the_board_is_followed():
    clock, rng = SensorClock(), random.Random(1)
    for second in range(0, 24 * 3600, 10):
        board = round(second * PER_SECOND * (1 + 50e-6))  # fast: the differences fall
        clock.note(board, UTC + second + rng.uniform(0.01, 0.2))
        assert abs(clock.utc(board) - (UTC + second)) < 0.25
    clock = SensorClock()
    for second in range(0, 24 * 3600, 10):
        board = round(second * PER_SECOND * (1 - 50e-6))  # slow: they rise
        clock.note(board, UTC + second + rng.uniform(0.01, 0.2))
        assert abs(clock.utc(board) - (UTC + second)) < 0.25


def test_a_sample_that_is_older_than_its_batch_has_its_own_time():
    clock = SensorClock()
    clock.note(50000, UTC + 5)
    assert abs(clock.utc(20000) - (UTC + 2)) < 1e-6
