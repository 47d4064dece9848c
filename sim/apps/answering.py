"""The application of a `pb-link serve` in the simulator: it answers each line as the demo server does.

Run by name: `--app sim.apps.answering:handler`.
"""

import json

from pb_link.s_app import counted


async def handler(conn):
    """Called for each client."""
    count = 0
    async for line in conn.lines():
        await conn.write(json.dumps([count, counted(line)]))
        count += 1
