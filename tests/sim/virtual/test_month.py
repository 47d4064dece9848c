"""Days of slow traffic: a piece of `make soak-month`."""

from sim.virtual import month


def test_hours_of_slow_traffic_lose_nothing_and_grow_nothing(monkeypatch):
    monkeypatch.setattr(month, "DAY_S", 1200)
    slow = month.Month(2)
    run = slow.play()
    assert run.good, run.failure
    assert run.result["resets"] == 2 and len(slow.days) == 2
    assert slow.grown() == []


def test_growth_is_seen():
    slow = month.Month(4)
    slow.days = [{"day": day, "objects": 100 + day, "tasks": 7 + day % 2} for day in range(4)]
    assert slow.grown() == ["objects"]
