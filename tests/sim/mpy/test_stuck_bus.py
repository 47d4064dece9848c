"""The worst case of the reset wire: the bridge dies while the client's target sends a 0, so that sda, a boot strap of
the ESP8266, stays low until the client lets go of the bus."""

import argparse
import asyncio

from sim.mpy import counted_run


class StuckRun(counted_run.CountedRun):
    """Every bridge-kill comes in the middle of a 0 bit of a read."""

    async def _stuck_kill(self):
        (port,) = self.bed.bus.ports
        port.bits.stick(0x00, 3)
        assert self.bed.nets["sda"].level == 0
        self.bed.esp8266.crash()

    _faults = {"bridge-kill": _stuck_kill}


def test_the_client_frees_the_bus_and_resets_the_bridge(micropython64, monkeypatch):
    monkeypatch.setenv("MICROPYTHON", micropython64)
    options = argparse.Namespace(
        lines=60, line_bytes=50, faults="bridge-kill=1", seed=1, timeout=None, bridge_source=True, verbose=False,
        quiet=True, json=True, clock=None, boot_ms=200, assoc_ms=100,
    )  # fmt: skip

    async def main():
        run = StuckRun(options)
        await run.run()
        return run

    run = asyncio.run(main())
    assert run.good, (run.failure, run.tail)
    chip = run.bed.esp8266
    assert chip.strapped >= 1 and chip.resets_by_pin >= 1
