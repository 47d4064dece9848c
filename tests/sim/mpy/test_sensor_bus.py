"""The sensor bus in real MicroPython, on the wires of bed mpy: a plan of `--sensors`, and each behaviour."""

import asyncio
import json
from pathlib import Path

import pytest

from build.install import sensor_package, sensor_types
from sim.mpy import interpreters, sensors
from sim.mpy.bed import Bed
from sim.root import ROOT
from sim.wires.sensors.plan import FIRST_BUS, Plan
from sim.wires.sensors.world import FIRST_MUX
from tests.patience import PATIENCE_S

PROGRAM = Path(__file__).parent / "programs" / "sensor_bus_program.py"
BEHAVIOUR = Path(__file__).parent / "programs" / "bus_behaviour_board.py"
DEVICES = [
    {"type": "PCA9548A"},
    {"type": "AHT20", "slot": 1, "values": {"temperature": 21.0}},
    {"type": "MCP9808", "slot": 2, "values": {"temperature": 20.0}, "faults": [[3, "stick_sda", 8, 0]]},
    {"type": "TMP117", "plug": [[5, True]]},
]


@pytest.mark.parametrize("installed", ["source", "joined"])
def test_bus_manages_its_devices(sim, tmp_path, installed):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.read_text())
    if installed == "joined":
        sensor_package.tree(tmp_path, ["AHT20", "MCP9808", "TMP117"])
    else:
        (tmp_path / "sensor_types.py").write_text(sensor_types.source(None, [sensor_types.OWN]))
    sensors = tmp_path / "sensors.json"
    sensors.write_text(json.dumps(DEVICES))
    result = sim("board", program, "--sensors", sensors)
    assert result.returncode == 0, result.stdout + result.stderr
    said = result.stdout.splitlines()
    if installed == "joined":
        assert f"from {tmp_path}/sensor_bus/bus.mpy" in said
    for address, name in (("138", "AHT20"), ("218", "MCP9808"), ("48", "TMP117")):
        assert f"event identified {address} {name}" in said, result.stdout
    assert "at the end ['48', '138', '218']" in said and "raw b'\\x00T'" in said, result.stdout
    assert not [line for line in said if line.startswith(("event gone", "event stuck"))], result.stdout
    values = {line for line in said if line.startswith("mcp ")}
    assert values and values <= {"mcp 0.0", "mcp 20.0"}, values  # 0: before its first conversion


class BehaviourBed:
    """A board whose program tells with lines what is to happen to the sensors on its bus: bus_behaviour_board.py."""

    def __init__(self, kind):
        self.bed = Bed()
        self.board = self.bed.add_board("board", kind)
        self.board.on_line = self._on_line
        self.printed = []

    async def run(self, interpreter, program, folder):
        """Returns the lines that the program has printed."""
        self.sensors = sensors.attach(self.bed, self.board, Plan({}, {FIRST_BUS: []}))[FIRST_BUS]
        self.marker = self.sensors.add("PCA9535", 0x27, plugged=False)
        self.named, self.muxes = {}, {}
        self.failed = asyncio.get_running_loop().create_future()  # what it tells could not be done
        await self.board.start(
            lambda fd: interpreters.board_command(
                interpreter, self.board.kind, fd, program, folders=[ROOT, folder]
            )
        )
        ended = asyncio.ensure_future(self.board.wait())
        try:
            await asyncio.wait((ended, self.failed), timeout=10 * PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
            if self.failed.done():
                await self.failed
        finally:
            self.bed.close()
            await self.bed.wait_closed()
        return self.printed

    def _on_line(self, line):
        if line.startswith("@"):
            name, *arguments = json.loads(line[1:])
            try:
                getattr(self, "_" + name)(*arguments)
            except Exception as error:
                if not self.failed.done():
                    self.failed.set_exception(error)
        else:
            self.printed.append(line)

    def _clear(self):
        for member in self.sensors.members:
            member.nack(0)
            member.stick_at = None
            member.unplug()
        self._hold_sda(0, False)

    def _mark(self):
        self.marker.plug()

    def _unmark(self):
        self.marker.unplug()

    def _add(self, name, kind, address, slot, options):
        if kind == "PCA9548A":  # its slots stay its own
            address = address or FIRST_MUX
            if address not in self.muxes:
                self.muxes[address] = self.sensors.add(kind, address, slot, plugged=False)
            self.named[name] = self.muxes[address]
            self.muxes[address].plug(slot)
        else:
            unique = f"{name} {len(self.sensors.members)}"
            self.named[name] = self.sensors.add(kind, address, slot, name=unique, **options)

    def _hold_sda(self, slot, held):
        self.sensors.wires(slot)[1].stick(0 if held else None)

    def _plug(self, name, slot):
        self.named[name].plug(slot)

    def _unplug(self, name):
        self.named[name].unplug()

    def _nack(self, name, times):
        self.named[name].nack(times)

    def _stick_sda(self, name, bit, value):
        self.named[name].stick_sda(bit, value)


@pytest.mark.parametrize(("bits", "kind"), [(64, "pyboard"), (32, "rp2")])
def test_behaviour_on_a_board(bits, kind, request, tmp_path):
    interpreter = request.getfixturevalue(f"micropython{bits}")
    (tmp_path / "sensor_types.py").write_text(sensor_types.source(None, [sensor_types.OWN]))
    printed = asyncio.run(BehaviourBed(kind).run(interpreter, BEHAVIOUR, tmp_path))
    assert printed[-1:] == ["15 passed, 0 failed, 0 skipped"], "\n".join(printed)
