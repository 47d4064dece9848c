"""The i2c-tools over any bus: detect, get, set, dump, transfer, with the arguments, looks and exit codes of those of
i2c-tools 4.3 for Linux. docs/remote-i2c.md has the differences.

Each module has USAGE, `parse(words)`, which returns a plan with `bus`, `yes` and `force`, and `Tool`-like functions:
`question(plan)`, what it is about to do, in words, and `run(plan, bus, console)`, which returns the exit status.
"""

from remote_i2c.tools import detect, dump, get, set, transfer

TOOLS = {"detect": detect, "get": get, "set": set, "dump": dump, "transfer": transfer}
