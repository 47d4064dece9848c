"""Simulated boards, wires, Wi-Fi and faults: `python3 -m sim --help`, docs/simulator.md."""

COMMAND = f"python3 -m {__name__}"  # an installed wheel has the package below pb_link
