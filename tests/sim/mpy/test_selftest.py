"""pb_link/selftest.py on the simulated boards, the bridge booted from the images: each fault of the wiring is named.

The boards mostly wait, so several tests run at once.
"""

import asyncio
import itertools
import json
import secrets

import pytest

from protocol.selftest import PULSE_MS
from protocol.version import RELEASE, release_text
from sim.mpy import flash_image
from sim.mpy.link_bed import LinkBed
from sim.wires import wifi
from sim.wires.nets import OUT
from sim.wires.wiring import WIRING

AT_ONCE = 8
LIMIT_S = 120
OLD_CLIENT = "old client"

# A client that the machine stops for longer may miss a pulse, and one whose bridge takes longer to start may not wait
# for it: a wrong finding then says nothing about selftest.py, and the case is played again, TIMES in all.
LATE_MS = PULSE_MS // 2
START_S = 1.0
TIMES = 20

# The simulated chip boots in 0.3 s, so less patience does, but 10,240 bytes take as long as they take.
PROGRAM = """
import time
import protocol.version
protocol.version.RELEASE = CLIENT_RELEASE
from pb_link import selftest
selftest._SHOW_MS = selftest._USE_MS = 3000
selftest._BOOT_MS = 1000
selftest._RESULT_MS = 60000
selftest._ATTEMPTS = 10


class Clock:
    ticks_ms, ticks_diff = time.ticks_ms, time.ticks_diff
    late_ms = 0
    due = None

    def sleep_ms(self, ms):
        now = time.ticks_ms()
        if self.due is not None:
            self.late_ms = max(self.late_ms, time.ticks_diff(now, self.due))
        self.due = time.ticks_add(now, ms)
        time.sleep_ms(ms)


class SelfTest(selftest.SelfTest):
    def _check_levels(self):
        super()._check_levels()
        print("levels checked")


selftest.time = clock = Clock()
selftest.SelfTest = SelfTest
faults = selftest.run()
print("late", clock.late_ms)
print("faults", faults)
while True:
    time.sleep(1)
"""


def swapped(one, other):
    """The wiring with two wires of the client at each other's place."""
    ends = {one: other, other: one}
    return {name: (WIRING[ends.get(name, name)][0], gpio, pull) for name, (_, gpio, pull) in WIRING.items()}


def broken(*names):
    """The client's ends of the wires lead nowhere."""
    wiring = dict(WIRING)
    for name in names:
        client, gpio, pull_up = WIRING[name]
        wiring.update({name: (None, gpio, pull_up), f"{name} cut": (client, None, False)})
    return wiring


def stuck(name, level):
    return lambda bed: bed.nets[name].stick(level)


def joined(one, other):
    """Two wires touch: they are one net, that of the reset pin if it takes part."""

    def change(bed):
        net, end = (other, one) if other == "rst" else (one, other)
        client, gpio, _ = WIRING[end]
        bed.bed.wire(bed.nets[net], (bed.client, client), *([(bed.bridge, gpio)] if gpio else []))

    return change


def noisy(bed):
    """One byte of each long read arrives otherwise."""
    bed.bed.bus(bed.nets["scl"], bed.nets["sda"]).tap = (
        lambda address, read, index, value: value ^ 1 if read and index == 100 else value
    )


CASES = {
    "noise": (WIRING, noisy, ["bus: 0 failures, 20 wrong bytes"]),
    OLD_CLIENT: (WIRING, None, [f"release: the ESP8266 has {release_text(RELEASE)}, this board 0.0.9"]),
    "good": (WIRING, None, []),
    "no power": (WIRING, lambda bed: setattr(bed.esp8266, "power_on", lambda: None), ["nothing"]),
    "bus broken": (broken("scl", "sda"), None, ["scl is broken", "sda is broken"]),
    "all but syn and rst broken": (broken("scl", "sda", "ack"), None, ["nothing"]),
}
for _name in WIRING:
    CASES[f"{_name} broken"] = (broken(_name), None, [f"{_name} is broken"])
    for _level, _text in ((0, "low"), (1, "high")):
        CASES[f"{_name} stuck {_text}"] = (WIRING, stuck(_name, _level), [f"{_name} is stuck {_text}"])
for _one, _other in itertools.combinations(sorted(WIRING), 2):
    _both = f"{_one} and {_other} are"
    CASES[f"{_one} {_other} swapped"] = (swapped(_one, _other), None, [f"{_both} swapped"])
    CASES[f"{_one} {_other} touch"] = (WIRING, joined(_one, _other), [f"{_both} connected to each other"])


def is_named(name, faults):
    """Are these the faults of the case, and no others?"""
    found = [fault for fault in eval(faults[0]) if fault] if faults else [None]
    wanted = CASES[name][2]
    return len(found) == len(wanted) and all(
        fault.startswith(text) for fault, text in zip(sorted(found), sorted(wanted))
    )


async def run_case(name, make_folder, interpreter, chip):
    """Returns (faults that the self test names, the lines of its report, the client's pins that it left driven)."""
    for _ in range(TIMES):
        faults, lines, driven, start_s = await play_case(name, make_folder("case"), interpreter, chip)
        late_ms = max((int(line[12:]) for line in lines if line.startswith("client late ")), default=0)
        if late_ms <= LATE_MS and start_s <= START_S or is_named(name, faults):
            break
    return faults, lines, driven


class Starts:
    """How long the bridge's program took to say something, at most. Made before the chip gets power."""

    def __init__(self, station):
        self.longest_s = 0.0
        self._since = None
        self._power_on, self._power_off = station.power_on, station.power_off
        station.power_on, station.power_off = self._begin, self._end

    def _begin(self, now):
        self._power_on(now)
        self._since = now

    def _end(self):
        self._power_off()
        self.spoke()

    def spoke(self):
        if self._since is not None:
            self.longest_s = max(self.longest_s, asyncio.get_running_loop().time() - self._since)
            self._since = None


async def play_case(name, folder, interpreter, chip):
    """Returns what run_case does, and the seconds that the bridge took to start."""
    wiring, change, _ = CASES[name]
    release = (0, 0, 9) if name == OLD_CLIENT else RELEASE
    settings = {"key": secrets.token_hex(32)}
    (folder / "pb_settings.json").write_text(json.dumps(settings))
    (folder / "main.py").write_text(PROGRAM.replace("CLIENT_RELEASE", repr(release)))
    lines, checked, ended = [], asyncio.Event(), asyncio.Event()

    def on_line(who, line):
        lines.append(f"{who} {line}")
        if who == "bridge":
            starts.spoke()
        if line == "levels checked":
            checked.set()
        if who == "client" and (line.startswith("faults") or "Error" in line):
            ended.set()

    bed = LinkBed(
        folder / "main.py", client_cwd=folder, interpreter=interpreter, bridge_interpreter=chip,
        flash=flash_image.write(folder / "flash.bin"), wiring=wiring, on_line=on_line, log=lambda who, text: None,
        air=wifi.Air(), boot_s=0.3,
    )  # fmt: skip
    starts = Starts(bed.esp8266.station)
    if change:
        change(bed)
    try:
        await bed.start_client()
        await asyncio.wait_for(checked.wait(), LIMIT_S)
        bed.esp8266.power_on()  # a bridge that reset does not reach would move wires during that check
        await asyncio.wait_for(ended.wait(), LIMIT_S)
    except asyncio.TimeoutError:
        pass
    finally:
        driven = [name for name, pin in bed.client.pins.items() if pin.mode == OUT]
        await bed.close()
    faults = [line[14:] for line in lines if line.startswith("client faults")]
    return faults, lines, driven, starts.longest_s


@pytest.fixture(scope="module")
def results(micropython64, micropython_chip, tmp_path_factory):
    """name of the case -> (faults, lines, driven pins)"""

    async def main():
        places = asyncio.Semaphore(AT_ONCE)

        async def one(name):
            async with places:
                return await run_case(name, tmp_path_factory.mktemp, micropython64, micropython_chip)

        return dict(zip(CASES, await asyncio.gather(*map(one, CASES))))

    return asyncio.run(main())


@pytest.mark.parametrize("name", CASES)
def test_fault_is_named(results, name):
    faults, lines, driven = results[name]
    wanted = CASES[name][2]
    assert driven == ([] if wanted else ["X11"])  # only syn, and not where it may be against a short circuit
    assert is_named(name, faults), lines


def test_good_wiring_is_measured(results):
    _, lines, _ = results["good"]
    assert "client all is well" in lines
    assert any(line.startswith("client testing") for line in lines)  # at once: a minute of silence would look dead
    assert any(line.startswith("client bus ") and "10240 bytes, 0 errors" in line for line in lines), lines
    assert sum(f"release {release_text(RELEASE)}" in line for line in lines if line.startswith("client")) == 2
