"""What programs and the page ask of a client's devices: its sensors, and the device manager of Raft."""

import json

from server.core.devman import DevMan
from server.gateways.web.openapi_devices import CONFIGURING, READING, SENDING
from server.gateways.web.places import Places
from server.gateways.web.roles import ADMINISTER, SEND, VIEW
from server.gateways.web.routes import Failure, Route, json_of
from server.gateways.web.sensors import SensorFollows
from server.gateways.web.utc import utc_s

MAX_WAITING = 32  # requests to clients at a time


class Devices:
    """Args: host: Host; known: function (id) that returns the id, or raises Failure: there is no such client."""

    def __init__(self, host, known):
        self._host = host
        self._known = known
        self._places = Places(MAX_WAITING, "requests to clients")
        self.follows = SensorFollows(lambda client_id: host.registry.get(client_id))

    def routes(self):
        """Returns the routes, each with the role that it needs."""
        found = [Route("GET", "/api/sensors/{id}", VIEW, self.sensors)]
        for method, role, names in (
            ("GET", VIEW, READING), ("POST", SEND, SENDING), ("POST", ADMINISTER, CONFIGURING)
        ):  # fmt: skip
            found += [Route(method, f"/api/devman/{name}", role, self._devman(name)) for name in names]
        return found

    async def sensors(self, request, user):
        """GET /api/sensors/ID: the newest reading of each device that somebody follows, and which devices there are."""
        client_id = self._known(request.path_params["id"])
        with self._places.taken():
            state, rows = await self.follows.now(client_id)
        return {"state": state, "sensors": rows, "now": round(utc_s(), 3)}

    def _devman(self, name):
        async def handle(request, user):
            """/api/devman/NAME: see server/core/devman.py. What went wrong is in the answer, as Raft has it."""
            arguments = await _arguments(request)
            client_id = self._known(arguments.pop("client", ""))
            if request.method == "POST":
                self._host.log("web_devman", client_id, user=user.name, request=name)
            with self._places.taken():
                return await DevMan(self._host.registry.get(client_id).sensors()).answer(name, arguments)

        return handle


async def _arguments(request):
    """Returns the arguments of a request: those of its address, and those of its body, which it may have. All of them
    are texts, as the seed has them."""
    found = dict(request.query_params)
    if request.method == "POST" and "content-type" in request.headers:
        for name, value in (await json_of(request)).items():
            if isinstance(value, bool) or not isinstance(value, (str, int, float, dict)):
                raise Failure(422, f"{name} must be a text, a number, or an object of JSON")
            found[name] = value if isinstance(value, str) else json.dumps(value)
    return found
