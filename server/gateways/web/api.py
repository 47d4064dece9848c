"""What programs and the page ask for: clients, their lines, the log, keys. openapi.py describes it."""

import asyncio

from protocol.errors import LinkError
from server.gateways.web.console import ConsoleAPI, ConsoleView
from server.gateways.web.devices import Devices
from server.gateways.web.history import MAX_POINTS, MAX_SPAN_S, POINTS, SPAN_S
from server.gateways.web.openapi import DOCUMENT, VIEWS
from server.gateways.web.overview import MAX_PAGE, MAX_TEXT, SORTS, STATES, Query
from server.gateways.web.places import Places
from server.gateways.web.recent import MAX_EVENTS
from server.gateways.web.routes import Failure, body_of
from server.gateways.web.sensors import SensorsView
from server.gateways.web.utc import utc_s
from server.gateways.web.views import ClientsView, ClientView, LogView

DELIVER_S = 10.0  # for which `wait` waits
MAX_WAITING = 64  # such requests at a time
MAX_SERIES = 4  # histories that are read at a time; others wait
MAX_NUMBER = 1 << 53  # of JavaScript: beyond it numbers lose digits
DEFAULT_SIZE = 50


class API:
    """Args: host: Host; overview: Overview; lines: RecentLines; events: RecentEvents; live: Live; access: Access;
    buses: Buses; history: History, or None: nothing is measured."""

    def __init__(self, host, overview, lines, events, live, access, buses, history=None):
        self._host = host
        self._overview = overview
        self._lines = lines
        self._events = events
        self._live = live
        self._access = access
        self._places = Places(MAX_WAITING, "lines")
        self.devices = Devices(host, self._known_id)
        self.console = ConsoleAPI(host, self._known_id)
        self.buses = buses
        self._history = history
        self._series = asyncio.Semaphore(MAX_SERIES)

    async def clients(self, request, user):
        """GET /api/clients: a page of the clients."""
        query = _query(request)
        return {**self._overview.page(query), "page": query.page, "size": query.size, "now": round(utc_s(), 3)}

    async def client(self, request, user):
        """GET /api/clients/ID: one client, with its last lines."""
        client_id = self._known(request)
        lines = self._lines.after(client_id)
        return {"client": self._overview.row(client_id), "lines": lines, "now": round(utc_s(), 3)}

    async def send(self, request, user):
        """POST /api/clients/ID/lines: {"line", "wait"}. Returns once the line is stored; with `wait` once the client
        has it, or DELIVER_S later. Then it is not known whether the line has found room in the store."""
        client_id = self._known(request)
        body = await body_of(request, {"line": str, "wait": bool}, optional=("wait",))
        wait = body.get("wait", False)
        with self._places.taken():
            return await self._send(client_id, body["line"], wait, user)

    async def _send(self, client_id, line, wait, user):
        connection = self._host.registry.get(client_id)
        if connection is None:
            raise Failure(404, f"there is no client {client_id!r}")
        try:
            # A call that is cancelled does not withdraw the line: it has, or gets, its place in the order.
            async with asyncio.timeout(DELIVER_S):
                await connection.write(line, wait=wait)
            stored, delivered = True, wait
        except TimeoutError:
            if not wait:
                raise Failure(503, "there is no room for another line to this client: try again later")
            stored, delivered = None, False  # it may be waiting for room
        except (TypeError, ValueError) as error:
            raise Failure(422, str(error))
        except LinkError as error:
            raise Failure(503, str(error))
        self._host.log("web_line_sent", client_id, user=user.name)
        return {"stored": stored, "delivered": delivered}

    async def log(self, request, user):
        """GET /api/log: the last events."""
        after = _number(request, "after", 0, 0, MAX_NUMBER)
        return {"events": self._events.after(after, _number(request, "count", MAX_EVENTS, 1, MAX_EVENTS))}

    async def history(self, request, user):
        """GET /api/clients/ID/history: what was measured of a client, as points."""
        client_id = self._known(request)
        if self._history is None:
            raise Failure(409, "nothing is measured: [web] has history = false")
        now = int(utc_s())
        to_s = _number(request, "to", now, 1, MAX_NUMBER)
        from_s = _number(request, "from", max(0, to_s - SPAN_S), 0, MAX_NUMBER)
        points = _number(request, "points", POINTS, 1, MAX_POINTS)
        if not 0 < to_s - from_s <= MAX_SPAN_S:
            raise Failure(422, f"from must be before to, by {MAX_SPAN_S} s at most")
        try:
            async with self._series:
                series = await self._history.series(client_id, from_s, max(from_s + 1, min(to_s, now)), points)
        except LinkError as error:
            raise Failure(503, str(error))
        return {**series, "now": round(utc_s(), 3)}

    async def change_key(self, request, user):
        """POST /api/clients/ID/key: {"do": "rotate" or "revoke"}. A new key is in this answer, and nowhere else."""
        client_id = self._known(request)
        what = (await body_of(request, {"do": str}))["do"]
        if what not in ("rotate", "revoke"):
            raise Failure(422, 'do must be "rotate" or "revoke"')
        try:
            key = await asyncio.to_thread(self._host.change_key, what, client_id)
        except (OSError, TypeError, ValueError) as error:
            raise Failure(409, str(error))
        self._host.log("web_key_changed", client_id, user=user.name, what=what)
        return {"key": key}

    async def events(self, request, user):
        """GET /api/events: a stream of the clients, of one client, its sensors or console, or of the log."""
        if request.method == "HEAD":
            raise Failure(405, "a stream has no end, so there is no HEAD of it", {"Allow": "GET"})
        view = request.query_params.get("view", "clients")
        if view == "clients":
            made = ClientsView(self._overview, _query(request))
        elif view == "client":
            made = ClientView(self._overview, self._lines, self._known_id(request.query_params.get("id", "")))
        elif view == "sensors":
            made = SensorsView(self.devices.follows, self._known_id(request.query_params.get("id", "")))
        elif view == "console":
            made = ConsoleView(self._host.consoles, self._known_id(request.query_params.get("id", "")))
        elif view == "log":
            made = LogView(self._events)
        else:
            raise Failure(422, f"view must be one of {', '.join(VIEWS)}")
        headers, cookies = request.headers, request.cookies
        return self._live.stream(made, lambda: self._access.asker(headers, cookies) == user)

    async def openapi(self, request, user):
        """GET /api/openapi.json: the description of all this."""
        return DOCUMENT

    def _known(self, request):
        return self._known_id(request.path_params["id"])

    def _known_id(self, client_id):
        if self._overview.row(client_id) is None:
            raise Failure(404, f"there is no client {client_id[:MAX_TEXT]!r}")
        return client_id


def _query(request):
    given = request.query_params
    state, text, sort = given.get("state", ""), given.get("text", ""), given.get("sort", "id")
    if state and state not in STATES:
        raise Failure(422, f"state must be {', '.join(STATES)}, or nothing")
    if len(text) > MAX_TEXT:
        raise Failure(422, f"text has at most {MAX_TEXT} characters")
    if sort.removeprefix("-") not in SORTS:
        raise Failure(422, f"sort must be {', '.join(SORTS)}, or one of these with - before it")
    page, size = _number(request, "page", 0, 0, MAX_NUMBER), _number(request, "size", DEFAULT_SIZE, 1, MAX_PAGE)
    return Query(state, text, sort.removeprefix("-"), sort.startswith("-"), page, size)


def _number(request, name, default, low, high):
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 16 and low <= int(text) <= high):
        raise Failure(422, f"{name} must be {low} to {high}")
    return int(text)
