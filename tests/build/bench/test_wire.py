"""build/bench/wire.py: what it measures is the same every time."""

import pytest

from build.bench import wire as bench_wire
from build.bench.bed import COSTS, WIRE_BYTES_S
from build.bench.wire import Traffic, utilisation
from sim.wires import wire


def test_same_traffic_gives_the_same_figures():
    one, again = (Traffic("up", 180, False, COSTS["zero"]).measure(0.5) for _ in range(2))
    assert one == again


@pytest.mark.parametrize("direction", ["up", "down"])
def test_utilisation_agrees_with_a_count_of_the_bytes_on_the_wire(monkeypatch, direction):
    # The characters of the lines in every transfer, from the start of one full frame to that of a later one.
    transfers = []
    whole = wire.Controller._transfer

    def recorded(self, address, read, data, *more):
        begin = traffic.bed.world.now
        result = yield from whole(self, address, read, data, *more)
        transfers.append((begin, (result.data if read else bytes(data)).count(b"x")))
        return result

    monkeypatch.setattr(wire.Controller, "_transfer", recorded)
    monkeypatch.setattr(bench_wire, "_TEXT", "x" * 1000)
    size = 180
    traffic = Traffic(direction, size, False, COSTS["model"])
    with traffic.bed.running():
        transfers.clear()
        traffic.bed.run_for(30)
    full = [transfer for transfer in transfers if transfer[1] > 500]
    seconds = full[-1][0] - full[0][0]
    # A newline of each line is not on the wire, and counts as delivered.
    counted = sum(characters for _, characters in full[:-1]) / seconds * size / (size - 1) / WIRE_BYTES_S
    monkeypatch.undo()
    assert utilisation(direction, size, False, "model")[0].value == pytest.approx(counted, rel=0.002)
