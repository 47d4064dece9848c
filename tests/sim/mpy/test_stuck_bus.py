"""The worst case of the reset wire: the bridge dies while the client's target sends a 0, so that sda, a boot strap of
the ESP8266, stays low until the client lets go of the bus."""

import argparse
import asyncio

from sim.mpy import counted_run
from sim.mpy.fault_actions import FaultActions


class StuckKills(FaultActions):
    """Every bridge-kill comes in the middle of a 0 bit of a read."""

    async def _bridge_kill(self):
        (port,) = self._bed.bus.ports
        port.bits.stick(0x00, 3)
        assert self._bed.nets["sda"].level == 0
        self._bed.esp8266.crash()

    _actions = {"bridge-kill": _bridge_kill}


def test_the_client_frees_the_bus_and_resets_the_bridge(micropython64, monkeypatch):
    monkeypatch.setenv("MICROPYTHON", micropython64)
    monkeypatch.setattr(counted_run, "FaultActions", StuckKills)
    options = argparse.Namespace(
        lines=60, line_bytes=50, faults="bridge-kill=1", seed=1, timeout=None, bridge_source=True, verbose=False,
        quiet=True, json=True, clock=None, boot_ms=200, assoc_ms=100,
    )  # fmt: skip

    async def main():
        run = counted_run.CountedRun(options)
        await run.run()
        return run

    run = asyncio.run(main())
    assert run.good, (run.failure, run.tail)
    chip = run.bed.esp8266
    assert chip.strapped >= 1 and chip.resets_by_pin >= 1
