"""The i2c-tools over any bus: detect, get, set, dump, transfer, with the arguments, looks and exit codes of those of
i2c-tools 4.3 for Linux. docs/remote-i2c.md has the differences.

Each module has USAGE, and three functions. parse(words) returns a plan with `bus`, `yes` and `force`; question(plan)
what it is about to do, in words; run(plan, bus, console), a coroutine, the exit status.
"""

from remote_i2c.tools import detect, dump, get, set, transfer

TOOLS = {"detect": detect, "get": get, "set": set, "dump": dump, "transfer": transfer}
