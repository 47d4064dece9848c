"""A gateway in this process, beside a broker that does what the test says."""

import asyncio
import contextlib

from server.gateways.mqtt.settings import DESCRIPTION, TITLE
from tests.server.channel_peer import ChannelClient
from tests.server.gateways.host import make_host, settings_of
from tests.server.peer import HOST, Client, within

UP, PARTS, DOWN, STATUS = "pb_link/a/up", "pb_link/a/parts", "pb_link/a/down", "pb_link/a/status"


class Log(list):
    def __call__(self, event, client=None, **details):
        self.append((event, details))

    def of(self, event):
        return [details for found, details in self if found == event]


@contextlib.asynccontextmanager
async def gateway(mqtt, broker, service, **settings):
    """A Gateway for the client "a", running. mqtt: its module, which needs the extra."""
    host = make_host(
        registry=service.registry, store=service.store, secrets={"password": lambda: None}, served=lambda: {"a"},
        log=Log(), subscribe=service.events.subscribe,
    )  # fmt: skip
    found = mqtt.Gateway(settings_of(DESCRIPTION, host=HOST, port=broker.port, **settings), host)
    service.registry.readers.reserve(TITLE, settings.get("clients"), DESCRIPTION.reads_channels(found.settings))
    task = asyncio.create_task(found.run())
    try:
        yield found
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await within(task)


async def connected(service):
    client = Client(service.port)
    await within(client.connect())
    return client


async def with_channels(service, *channels):
    client = ChannelClient(service.port, channels)
    await within(client.connect())
    return client
