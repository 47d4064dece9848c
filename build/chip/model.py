"""Utilisation, echo and recovery on the virtual bed, with the costs that follow from the counts."""

from build.bench import ceiling, times
from build.bench.bed import WIRE_BYTES_S
from build.bench.figures import Figure
from build.bench.wire import DIRECTIONS, Echo, Traffic
from sim.virtual.costs import CALCULATED, COUNTED

DEFINITIONS = {
    "wire": "With the calculated costs (sim/virtual/costs.py), on the virtual bed. Bytes of lines delivered per "
    "second, newlines included, of the 44,444 that 400 kHz carries at 9 clocks a byte; the chip does not reach 400 "
    "kHz. Limit: the same of the layout, with these costs. Lines follow each other without a pause.",
    "echo": "With the calculated costs: from the call of `write` on the client to the return of `readline` with the "
    "same line of 50 bytes, which the server's application has sent back; one at a time. Limit: the exchanges that it "
    "needs.",
    "recovery": "With the calculated costs: from the fault to the next line of the client at the server, the slowest "
    "of eight phases. Ours: detection and resume.",
}
MAX_OFF = 0.08  # of a constant: where objects lie in the heap makes 3 % of a frame
_SIZES = (50, 180)
_ECHO_BYTES = 50


def measure(costs=CALCULATED):
    """Returns all figures."""
    figures = []
    for size in _SIZES:
        for direction in DIRECTIONS:
            lines, _, _ = Traffic(direction, size, False, costs).measure()
            limit = ceiling.stream(direction, size, costs)
            name = f"{direction} {size} stream calculated"
            figures.append(Figure("wire", name, lines * size / WIRE_BYTES_S, "of the wire", limit / WIRE_BYTES_S))
    seconds = Echo(costs).measure()
    limit = ceiling.echo(_ECHO_BYTES, costs)
    for part, at in (("median", len(seconds) // 2), ("p99", len(seconds) * 99 // 100)):
        figures.append(Figure("echo", f"echo calculated {part}", seconds[at] * 1000, "ms", limit * 1000))
    for name, fault, pending in (
        ("crash", times.Recovery.crash, True),
        ("crash", times.Recovery.crash, False),
        ("server restart", times.Recovery.server_restart, True),
        ("Wi-Fi outage", times.Recovery.wifi_outage, True),
    ):
        figures += times.recovery(name, fault, pending, costs)
    return figures


def outdated(figures, counted=COUNTED):
    """Returns a line for each constant of the table that is not what was counted. Constants of a part that was not
    measured are left out."""
    values = {figure.name: figure.value for figure in figures}
    wrong = []
    for name, constant in counted.items():
        value = values.get(name)
        if value is not None and abs(value - constant) > MAX_OFF * value:
            wrong.append(f"{name}: {value:,.0f}, sim/virtual/costs.py has {constant:,}")
    return wrong
