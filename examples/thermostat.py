"""Shows two clients with one application: the values of the client "thermometer" switch the client "heater".

The clients are examples/thermometer.py and examples/switch.py. The server, in a folder of its own with this file:

    pb-link init thermometer
    pb-link keys add heater --settings heater.json
    pb-link serve --app thermostat:use

A command is repeated with each value, so it does not matter what was lost when the heater lost its power. It is not
repeated for one that is away: the newest is enough.
"""

import json

from pb_link.server import Connection

WANTED = 20.0  # degrees Celsius
SPAN = 0.5  # on below WANTED - SPAN, off above WANTED + SPAN
THERMOMETER, HEATER = "thermometer", "heater"


async def use(conn: Connection) -> None:
    """Called for each client that comes."""
    if conn.client_id == THERMOMETER:
        await regulate(conn, conn[HEATER])
    else:
        async for line in conn.lines():
            print(conn.client_id, line, end="", flush=True)


async def regulate(thermometer: Connection, heater: Connection) -> None:
    async for line in thermometer.lines():
        celsius = float(line)
        if heater.status() and abs(celsius - WANTED) > SPAN:
            await heater.write(json.dumps({"on": celsius < WANTED}), wait=False)
