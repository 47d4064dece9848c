"""The wires in a VCD file: two decoders, one of them not ours, find the bytes that crossed the bus."""

import re
import subprocess

import pytest

from sim import cli
from sim.vcd import WIRES, dump
from sim.virtual.run import VirtualRun
from sim.wires import wire


class RecordingRun:
    """A run into a VCD file, and beside it what the controller sent and got: (address, read, bytes)."""

    def __init__(self, path, monkeypatch, **arguments):
        self.transfers = []
        transfer = wire.Controller._transfer

        def recorded(controller, address, read, data, *more):
            result = yield from transfer(controller, address, read, data, *more)
            self.transfers.append((address, read, result.data if read else data[: result.acks]))
            return result

        monkeypatch.setattr(wire.Controller, "_transfer", recorded)
        self.run = VirtualRun(lines=3, size=40, **arguments)
        with open(path, "w", encoding="ascii") as file:
            written = dump(self.run.link.bus, self.run.link.nets, lambda: self.run.world.now, file)
            self.run.run()
            written.end()


@pytest.fixture
def recording(tmp_path, monkeypatch):
    recording = RecordingRun(tmp_path / "wires.vcd", monkeypatch)
    assert recording.run.good
    return tmp_path / "wires.vcd", [one for one in recording.transfers if one[2]]


def changes(path):
    """Yields (tick, wire, level) of a VCD file."""
    names, tick = {}, 0
    for line in path.read_text("ascii").splitlines():
        if line.startswith("$var"):
            names[line.split()[3]] = line.split()[4]
        elif line.startswith("#"):
            assert int(line[1:]) >= tick
            tick = int(line[1:])
        elif line[0] in "01":
            yield tick, names[line[1:]], int(line[0])


def decode(path):
    """I2C from the wires alone (UM10204 3.1): (address, read, bytes) of each transfer with bytes."""
    scl = sda = 1
    bits, transfers = [], []

    def close():
        octets = [int("".join(map(str, bits[i : i + 8])), 2) for i in range(0, len(bits) - 8, 9)]
        if len(octets) > 1:
            transfers.append((octets[0] >> 1, bool(octets[0] & 1), bytes(octets[1:])))
        bits.clear()

    for _, name, level in changes(path):
        if name == "scl":
            scl = level
            if level:
                bits.append(sda)
        elif name == "sda":
            sda = level
            if scl:  # start, repeated start or stop
                close()
    return transfers


def test_wires_decode_to_the_bytes_that_crossed(recording):
    path, transfers = recording
    assert len(transfers) > 50 and decode(path) == transfers


def test_every_wire_moves(recording):
    path, _ = recording
    assert {name for tick, name, _ in changes(path) if tick} == set(WIRES) - {"rst"}


def test_sigrok_decodes_the_same(recording, sigrok):
    path, transfers = recording
    command = [sigrok, "-i", str(path), "-I", "vcd", "-P", "i2c:scl=scl:sda=sda", "-A", "i2c=addr-data"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = []
    for what, value in re.findall(r"(Address read|Address write|Data read|Data write): ([0-9A-F]{2})", done.stdout):
        if what.startswith("Address"):
            found.append((int(value, 16), what == "Address read", bytearray()))
        else:
            found[-1][2].append(int(value, 16))
    assert [(address, read, bytes(data)) for address, read, data in found if data] == transfers


def test_faults_on_the_bus_are_drawn_too(tmp_path, monkeypatch):
    names = ("i2c-bitflip", "i2c-lost", "i2c-repeated", "i2c-nack", "i2c-cut", "bridge-brownout", "sda-low")
    recording = RecordingRun(tmp_path / "wires.vcd", monkeypatch, counts=dict.fromkeys(names, 1))
    assert recording.run.good


def test_command_writes_the_file(tmp_path):
    path = tmp_path / "wires.vcd"
    assert cli.main(["run", "--bed", "virtual", "--lines", "1", "--json", "--vcd", str(path)]) == 0
    assert decode(path)
