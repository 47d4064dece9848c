"""What no event tells: rates are those between two looks, and of a client that is not here nothing is known."""

from protocol.errors import StoreError
from server.gateways.web.sampled import SLICE, UNKNOWN, Sample, Sampler
from tests.server.gateways.web.bed import Fleet


class Store:
    """Counts of the lines nobody has read, by client: others have not come."""

    def __init__(self, **unread):
        self.counts = unread

    def unread(self, name):
        if name not in self.counts:
            raise StoreError("unclaimed")
        return self.counts[name], 0


def sampler_of(fleet, **unread):
    times = []
    return Sampler(fleet, Store(**unread), lambda: times[-1]), times


def look(sampler):
    """Returns {id: Sample} of all clients."""
    return {name: sample for samples in sampler.look() for name, sample in samples.items()}


def test_rates_are_known_from_the_second_look_on():
    fleet = Fleet("a", "b")
    sampler, times = sampler_of(fleet, a=3)
    times.append(100.0)
    assert look(sampler) == {"a": Sample(None, None, 3), "b": UNKNOWN}
    fleet.get("a").row.update(lines_received=6, lines_acknowledged=4, wire_bytes_received=500, wire_bytes_sent=499)
    times.append(104.0)
    assert look(sampler) == {"a": Sample(2.5, 250, 3), "b": Sample(0.0, 0, None)}
    times.append(109.0)
    assert look(sampler)["a"] == Sample(0.0, 0, 3)


def test_client_that_is_new_has_no_rate_and_one_that_is_gone_no_sample():
    fleet = Fleet("a")
    sampler, times = sampler_of(fleet)
    times.append(1.0)
    look(sampler)
    fleet.clients["b"] = Fleet("b").get("b")
    fleet.get("b").row["lines_received"] = 1000  # before this server looked at it
    del fleet.clients["a"]
    times.append(2.0)
    assert look(sampler) == {"b": UNKNOWN}


def test_time_in_which_nobody_looked_on_is_no_part_of_a_rate():
    fleet = Fleet("a")
    sampler, times = sampler_of(fleet)
    times.append(1.0)
    look(sampler)
    assert sampler.forget() == {"a": UNKNOWN} and sampler.forget() == {}
    fleet.get("a").row["lines_received"] = 1000
    times.append(1000.0)
    assert look(sampler) == {"a": UNKNOWN}


def test_two_looks_at_one_moment_have_no_rate():
    sampler, times = sampler_of(Fleet("a"))
    times.append(1.0)
    look(sampler)
    assert look(sampler) == {"a": UNKNOWN}


def test_thousands_are_looked_at_some_at_a_time_each_with_its_own_time():
    names = [f"{number:03d}" for number in range(SLICE + 1)]
    fleet = Fleet(*names)
    sampler, times = sampler_of(fleet)
    for at in (100.0, 104.0):
        slices = sampler.look()
        times.append(at)
        first = next(slices)
        for name in names:
            fleet.get(name).row["lines_received"] += 10
        times.append(at + 1)
        (second,) = slices
    assert list(first) == names[:-1] and list(second) == names[-1:]
    assert first[names[0]].lines_per_s == second[names[-1]].lines_per_s == 2.5


def test_client_that_goes_in_the_middle_of_a_look_is_left_out():
    names = [f"{number:03d}" for number in range(SLICE + 2)]
    fleet = Fleet(*names)
    sampler, times = sampler_of(fleet)
    times.append(1.0)
    slices = sampler.look()
    next(slices)
    del fleet.clients[names[-1]]
    assert list(next(slices)) == names[-2:-1] and list(slices) == []
