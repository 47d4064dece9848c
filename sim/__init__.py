"""Simulated boards, wires, Wi-Fi and faults: `python3 -m sim --help`, docs/simulator.md."""
