"""The server of examples/sensor_client.py: prints what the sensors measure, and which of them there are.

To run it: `python3 examples/sensor_server.py`, where pb_settings.json is (pb_link installed, or on PYTHONPATH).
"""

import asyncio
import sys
import time

from pb_link.server import Connection, StoreError, run, serve
from pb_link.settings import read

GONE = 2  # status of a device that was unplugged


def short(value: object) -> object:
    return round(value, 3) if isinstance(value, float) else value


async def follow(conn: Connection) -> None:  # called for each client that comes
    known = set()
    async for reading in conn.sensors():
        if reading.status == GONE:
            known.discard(reading.device)
            print(reading.device, "is gone")
            continue
        if reading.device not in known:
            known.add(reading.device)
            print(conn.client_id, "has", reading.type, "as", reading.device)
        if reading.invalid:
            print(reading.device, "is not to be trusted:", ", ".join(reading.invalid))
            continue
        when = time.strftime("%H:%M:%S", time.localtime(reading.time))
        values = ["%s %s" % (name, short(value)) for name, value in reading.values.items()]
        print(when, reading.device, ", ".join(values))


async def main() -> None:
    settings = read()
    await asyncio.gather(run({"demo"}, port=settings["port"], keys={"demo": settings["key"]}), serve(follow))


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        pass
    except (OSError, TypeError, ValueError, StoreError) as error:  # such as a port in use: the text says what to do
        sys.exit("sensor_server: %s" % error)
