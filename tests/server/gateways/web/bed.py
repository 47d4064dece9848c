"""The web page of a server with a fleet that is not real: what a gateway is given, and a browser's part in HTTP.

`Fleet` is a ClientStatus and a registry: its clients are where a test says they are, and take each line. Real clients
are in test_with_clients.py.
"""

import asyncio
import contextlib
import json
from struct import pack
from types import SimpleNamespace

from remote_i2c.addresses import parse_addresses
from remote_i2c.shared import SharedBus
from server.core.registry import CONSOLE
from server.core.traffic import Traffic
from server.gateways.i2c.gateway import Gateway as I2CGateway
from server.gateways.i2c.settings import DESCRIPTION as I2C
from server.gateways.web.gateway import Gateway
from server.gateways.web.settings import DESCRIPTION
from server.gateways.web.users import UserFile
from server.service.consoles import Consoles
from server.stores.timeline import MemoryTimeline
from tests.remote_i2c.fake_bus import FakeBus
from tests.server.core.sensor_peer import FakeClient as SensorPeer
from tests.server.gateways.host import make_host, settings_of
from tests.server.peer import until, within

CHEAP = (2, 1, 1)  # scrypt for a test: it is no secret
PASSWORD = "correct horse"
ROW = {
    "connected": False, "since": None, "left": None, "peer": None, "connections": 0, "lines_received": 0,
    "bytes_received": 0, "lines_acknowledged": 0, "lines_discarded": 0, "lines_sent_again": 0, "wire_bytes_received": 0,
    "wire_bytes_sent": 0, "outages": 0, "outage_s": 0.0, "round_trips": 0, "round_trip_s": 0.0,
    "longest_round_trip_s": 0.0, "bridge": None,
}  # fmt: skip


class Fleet:
    """Clients by name. `looks`: how often a row was asked for; consoles: Consoles; repl: ids whose key allows it;
    fake_bus: the FakeBus that the I2C gateway has."""

    others = None  # no other server has its store

    def __init__(self, *names):
        self.clients = {name: FakeClient(name, self) for name in names}
        self.subscribers = []
        self.line_followers = []
        self.looks = 0
        self.keys = []  # (what, id) of each change
        self.taken_at_once = {}
        self.repl = set(names)
        self.fake_bus = FakeBus({0x18: bytearray(b"\x01\x50" + bytes(254)), 0x50: bytearray(range(256))})
        self._i2c = _i2c_gateway(self.fake_bus)
        self.consoles = Consoles(self, self.repl.__contains__)
        self._timeline = MemoryTimeline()

    def names(self):
        return sorted(self.clients)

    def of(self, name):
        self.looks += 1
        return dict(self.clients[name].row)

    def knows(self, name):
        return name in self.clients

    def passed(self, name):
        row = self.clients[name].row
        lines = row["lines_received"] + row["lines_acknowledged"]
        return lines, row["wire_bytes_received"] + row["wire_bytes_sent"]

    def ended_outage_s(self, name):
        return self.clients[name].row["outage_s"]

    def get(self, name):
        return self.clients[name]

    def tell(self, event, client_id=None, **details):
        for subscriber in self.subscribers:
            subscriber(event, client_id, details)

    def connect(self, name):
        self.clients[name].row.update(connected=True, since=1000.0, left=None, peer="10.0.0.7:4711")
        self.clients[name].row["connections"] += 1
        self.tell("connected", name, peer="10.0.0.7:4711")

    def leave(self, name):
        self.clients[name].row.update(connected=False, since=None, left=2000.0, peer=None)
        self.clients[name].row["outages"] += 1
        self.tell("disconnected", name, peer="10.0.0.7:4711", reason="silent")

    def receive(self, name, *lines):
        self.clients[name].row["lines_received"] += len(lines)
        self.tell("received", name, lines=list(lines))

    def print(self, name, text, flags=1):
        """The client prints, on its console."""
        client, data = self.clients[name], text.encode()
        self.consoles.take(name, pack(">BI", flags, client.printed) + data)
        client.printed += len(data)

    async def ask_gateway(self, name, request):
        assert name == "i2c"
        return await self._i2c.ask(request)

    def change_key(self, what, client_id):
        self.keys.append((what, client_id))
        return "ab" * 32 if what == "rotate" else None

    def timeline(self):
        return self._timeline

    def unread(self, client_id):
        return self.clients[client_id].unread, 0

    async def backlogs(self):
        return [{"id": name, "lines": len(one.lines), "bytes": 0, "away_s": 0.0} for name, one in self.clients.items()]


def _i2c_gateway(bus):
    """Returns the I2C gateway with the buses desk and other, and mast, which the client pump has. All are this Bus."""
    tables = {
        "desk": ("/dev/i2c-9", "0x18, 0x30-0x3f, 0x50"), "other": ("/dev/i2c-9", "0x18"),
        "mast": ("client:pump:0", "0x48"),
    }  # fmt: skip
    host = make_host(secrets={"smbus_token": lambda: None, "web_token": lambda: None})
    gateway = I2CGateway(settings_of(I2C, buses={}), host)
    gateway.settings.buses = {name: SimpleNamespace(bus=spec) for name, (spec, _) in tables.items()}
    gateway.buses = {
        name: SharedBus(bus, parse_addresses(addresses), name=name) for name, (_, addresses) in tables.items()
    }
    return gateway


class FakeClient:
    """A Connection that takes lines. holds: asyncio.Event, for which `write` waits, or None; sensor_peer: the other end
    of its sensors; commands: those to its sensor bus so far; it is its channel of the console as well."""

    def __init__(self, name, fleet):
        self._fleet = fleet
        self.row = {"id": name, **ROW}
        self.lines = []
        self.traffic = Traffic()
        self.wire_bytes = (0, 0)
        self.waiting_lines = self.unread = 0
        self.is_here = True
        self.holds = None
        self.commands = []
        self.printed = 0  # bytes
        self.typed = []  # messages (bytes) of input, each with its limit of time
        self.sensor_peer = SensorPeer()
        self.sensor_peer.commands.answer = self._answer

    def status(self):
        return self.row["connected"]

    connected_here = status

    def here(self):
        return self.is_here

    def channel(self, number, start):
        assert (number, start) == (CONSOLE, 1)
        return self

    async def send(self, data, wait, ttl_ms):
        assert not wait and ttl_ms
        self.typed.append(data)
        if self.holds is not None:
            await self.holds.wait()

    def sensors(self):
        return self.sensor_peer.sensors

    def _answer(self, command):
        self.commands.append(command)
        if command["cmd"] == "listdevs":
            return {"bus": 1, "devs": [[0x18, "MCP9808", 1]]}
        return {"data": "0150"}

    async def write(self, line, wait=True):
        if line == "refused":
            raise ValueError("this line is refused")
        self.lines.append(line)
        for follower in self._fleet.line_followers:
            follower(self.row["id"], line.encode())
        if self.holds is not None:
            await self.holds.wait()


class Answer:
    """status; headers: dict with small letters; body: bytes."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Browser:
    """Asks as a page of the server does, with its cookie. tls: an SSLContext; host: the name by which it asks."""

    def __init__(self, address, prefix="", tls=None, host="127.0.0.1"):
        self._address = address
        self._tls = tls
        self._host = host
        self._prefix = prefix
        self.cookie = None

    async def ask(self, method, path, body=None, **headers):
        """Returns the Answer. headers: with _ for -, None for one that is not to be sent."""
        reader, writer = await self._begin(method, path, body, headers)
        try:
            return await within(_answer(reader))
        finally:
            writer.close()

    async def get(self, path, **headers):
        return await self.ask("GET", path, **headers)

    async def post(self, path, body=None, **headers):
        return await self.ask("POST", path, {} if body is None else body, **headers)

    async def log_in(self, user, password=PASSWORD):
        answer = await self.post("/api/login", {"user": user, "password": password})
        if answer.status == 200:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer

    @contextlib.asynccontextmanager
    async def stream(self, path, **headers):
        """Gives a function that returns the next (event, data) of a stream."""
        reader, writer = await self._begin("GET", path, None, headers)
        try:
            status, headers = await within(_head(reader))
            assert status == 200, status
            assert headers["content-type"].startswith("text/event-stream")
            events = _events(reader)
            yield lambda: within(anext(events))
        finally:
            writer.close()

    async def _begin(self, method, path, body, headers):
        sent = {
            "host": "%s:%d" % (self._host, self._address[1]), "sec-fetch-site": "same-origin", "connection": "close",
            "cookie": self.cookie,
        }  # fmt: skip
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if body is not None:
            sent |= {"content-type": "application/json", "content-length": str(len(data))}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} {self._prefix}{path} HTTP/1.1", *(f"{n}: {v}" for n, v in sent.items() if v is not None)]
        reader, writer = await asyncio.open_connection(*self._address, ssl=self._tls)
        writer.write("\r\n".join([*lines, "", ""]).encode() + data)
        return reader, writer


async def _head(reader):
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {}
    for name, _, value in (line.partition(":") for line in lines[1:] if line):
        headers[name.lower()] = value.strip()
    return int(lines[0].split()[1]), headers


async def _answer(reader):
    status, headers = await _head(reader)
    body = await reader.read()
    return Answer(status, headers, _unchunked(body) if headers.get("transfer-encoding") == "chunked" else body)


def _unchunked(data):
    found = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        found += data[: int(size, 16)]
        data = data[int(size, 16) + 2 :]
    return found


async def _events(reader):
    """Yields (event, data) of a stream in chunks."""
    text = b""
    while size := int(await reader.readline(), 16):
        text += (await reader.readexactly(size + 2))[:-2]
        while b"\n\n" in text:
            event, _, text = text.partition(b"\n\n")
            fields = dict(line.split(": ", 1) for line in event.decode().split("\n") if not line.startswith(":"))
            if fields:
                yield fields["event"], json.loads(fields["data"])


@contextlib.asynccontextmanager
async def served(folder, fleet, users=("ann:administer", "sam:send", "vic:view"), prefix="", **settings):
    """A gateway that serves a fleet. users: "NAME:ROLE", whose password is PASSWORD. It has `gateway`; `log`; `told`,
    which is [(event, client, details)] of the log; `browser`, a function that makes a Browser; `tokens` by role."""
    file = UserFile(folder / "web_users.json", CHEAP)
    for user in users:
        file.add(*user.split(":"), PASSWORD)
    tokens = {role: file.add_token(f"script-{role}", role) for role in ("view", "send", "administer")} if users else {}
    told = []
    followers = []

    def log(event, client_id=None, **details):
        told.append((event, client_id, details))
        for follower in followers:
            follower(event, client_id, details)

    host = make_host(
        registry=fleet, store=fleet, log=log, status=fleet, change_key=fleet.change_key,
        subscribe=fleet.subscribers.append, follow_log=followers.append, follow_lines=fleet.line_followers.append,
        consoles=fleet.consoles, ask_gateway=fleet.ask_gateway,
    )  # fmt: skip
    own = settings_of(DESCRIPTION, **{
        "listen": "127.0.0.1:0", "users": file.path, "prefix": prefix, "i2c": ["desk"], **settings
    })
    gateway = Gateway(own, host)
    running = asyncio.create_task(gateway.run())
    try:
        await until(lambda: gateway.address or running.done(), "the start")
        if running.done():
            running.result()
        yield SimpleNamespace(
            log=log, gateway=gateway, told=told, tokens=tokens, file=file, fleet=fleet,
            browser=lambda: Browser(gateway.address, prefix),
        )  # fmt: skip
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def served_test(folder, test, *clients, **settings):
    """Run `await test(served)` against a fleet of these clients."""

    async def run():
        async with served(folder, Fleet(*clients), **settings) as found:
            await test(found)

    asyncio.run(run())
