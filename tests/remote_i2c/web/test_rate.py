"""How often something may happen."""

from remote_i2c.web.rate import Rate


def test_a_reserve_is_spent_and_fills_up_again():
    rate = Rate(4, 3, now=100.0)
    assert [rate.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert [rate.take(100.25), rate.take(100.25)] == [True, False]
    assert [rate.take(1000.0) for _ in range(4)] == [True, True, True, False]
