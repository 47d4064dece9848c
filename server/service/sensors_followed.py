"""What the admin socket answers to `sensors`: the readings of a client as they come, and why there are none.

An answer is a reading, as sensors_shown.as_dict has it, or {"note": in words}. That a client has no sensors is an
error, so that nobody waits for what cannot come. That they are only not there yet is a note.
"""

import asyncio

from server.core.sensor_listing import devices_of
from server.service.sensors_shown import as_dict

# A client that is connected and lists no devices may be about to start its service, or have one that takes no
# commands. If no sample of it has come for so long, it is taken for one without sensors.
FIRST_S = 10.0


async def follow(connection, reader):
    """An async generator of answers, until the caller disconnects. Args: connection: of the client; reader: the
    caller's StreamReader, which ends when it disconnects. Raises: ValueError: the client has no sensors."""
    sensors = connection.sensors()
    newest = list(sensors.latest.values())
    readings = sensors.readings(lossless=False)
    gone = asyncio.create_task(reader.read(1))
    gone.add_done_callback(lambda task: readings.close())
    try:
        devices = await devices_of(connection)
        for reading in newest:  # without those that were unplugged
            if devices is None or reading.device in devices:
                yield as_dict(reading)
        if devices is None and not newest and connection.status():
            first = await _first(readings)
            if first is not None:
                yield as_dict(first)
            elif not gone.done():
                devices = await devices_of(connection)
                if devices is None and connection.status():
                    raise ValueError(
                        f"{connection.client_id} has sent no sample in {FIRST_S:g} s, and does not list its devices: "
                        "does its program run a SensorService (docs/sensor-bus.md)?"
                    )
        note = _note(connection, devices)
        if note is not None:
            yield {"note": note}
        async for reading in readings:
            yield as_dict(reading)
    finally:
        gone.cancel()
        readings.close()


async def _first(readings):
    """Returns the first Reading, or None: none comes, or the caller has disconnected."""
    try:
        async with asyncio.timeout(FIRST_S):
            return await anext(readings, None)
    except TimeoutError:
        return None


def _note(connection, devices):
    """Returns why there may be nothing to show now, or None."""
    if not connection.status():
        return f"{connection.client_id} is not connected: its samples are shown when it is"
    if devices is None:
        return None
    if not devices:
        return f"{connection.client_id} has no device on its bus now: what is plugged in is shown"
    unknown = [device for device, name in devices.items() if name is None]
    if unknown:
        return f"{connection.client_id} has no type for {', '.join(sorted(unknown))}: nothing is read of it"
    return None
