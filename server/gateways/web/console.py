"""The console of a client by the page and the API: what it has printed, and what is typed for its REPL.

What is kept, and who may type, is the rule of the server's consoles (docs/console.md); the role is one condition more.
Control characters are shown as escapes, so no text of a client commands a terminal that an answer is shown at.
"""

import asyncio

from protocol.errors import LinkError
from server.core.shown import harmless
from server.gateways.web.places import Places
from server.gateways.web.roles import ADMINISTER, VIEW
from server.gateways.web.routes import Failure, Route, body_of
from server.gateways.web.utc import utc_s
from server.gateways.web.views import View

MAX_LINES = 500  # of one answer or event: the newest
MAX_TYPED = 4096  # characters of one request
TYPE_S = 10.0  # for which a request waits until the client has room
MAX_TYPING = 16  # such requests at a time
_KEPT = "\t"


class ConsoleAPI:
    """Args: host: Host; known: function (id) that returns the id, or raises Failure: there is no such client."""

    def __init__(self, host, known):
        self._host = host
        self._known = known
        self._places = Places(MAX_TYPING, "requests of consoles")

    def routes(self):
        """Returns the routes, each with the role that it needs."""
        path = "/api/console/{id}"
        return [Route("GET", path, VIEW, self.console), Route("POST", path, ADMINISTER, self.type)]

    async def console(self, request, user):
        """GET /api/console/ID: the newest lines that the client has printed."""
        client_id = self._known(request.path_params["id"])
        return {**_shown(self._host.consoles, client_id, 0), "now": round(utc_s(), 3)}

    async def type(self, request, user):
        """POST /api/console/ID: {"input"}: characters for the client's REPL, which must allow it."""
        client_id = self._known(request.path_params["id"])
        text = (await body_of(request, {"input": str}))["input"]
        if not 0 < len(text) <= MAX_TYPED:
            raise Failure(422, f"input has 1 to {MAX_TYPED} characters")
        with self._places.taken():
            self._host.log("web_typed", client_id, user=user.name)  # a part may reach the client also if this fails
            try:
                async with asyncio.timeout(TYPE_S):
                    sent = await self._host.consoles.type(client_id, text)
            except UnicodeEncodeError:
                raise Failure(422, "input must be text")
            except ValueError as error:
                raise Failure(409, str(error))
            except TimeoutError:
                raise Failure(503, "the client takes no more now: the end of this may not have been sent")
            except LinkError as error:
                raise Failure(503, str(error))
        if not sent:
            raise Failure(409, f"{client_id} is not connected: this was not sent")
        return {"sent": True}


class ConsoleView(View):
    """What a client prints. Args: consoles: Consoles; client_id."""

    def __init__(self, consoles, client_id):
        self._consoles = consoles
        self._id = client_id
        self._number = 0
        self._told = None

    def snapshot(self):
        self._number, self._told = 0, None
        return self.change()

    def change(self):
        """Returns the new lines, and what else differs; `missed`: lines before these that are not shown."""
        found = _shown(self._consoles, self._id, self._number)
        first = self._told is None
        self._number = found.pop("number")
        lines, missed = found.pop("lines"), found.pop("missed")
        before, self._told = self._told or {}, found
        change = {name: value for name, value in found.items() if first or before[name] != value}
        if lines or first:
            change["lines"] = lines
        if missed:
            change["missed"] = missed
        return change or None


def _shown(consoles, client_id, number):
    """Returns the answer without its time. number: of the last line that is known already, 0: none."""
    news = consoles.news(client_id, number, MAX_LINES)
    return {
        "lines": [{"number": at, "at": round(when, 3), "text": harmless(text, _KEPT)} for at, when, text in news.lines],
        "begun": harmless(news.begun, _KEPT), "number": news.number, "missed": news.missed if number else 0,
        "used": news.used, "refused": consoles.refuses_input(client_id),
    }  # fmt: skip
