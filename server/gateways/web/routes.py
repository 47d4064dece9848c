"""The routes of the page and of its API: what each needs, and the ASGI application that refuses all the others.

A route of the API is a function (request, user) of its handler. Its answer is JSON: a dict, or {"error": ..}.
"""

import json
from collections import namedtuple
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.routing import Route as StarletteRoute

MAX_BODY = 1 << 16
API = "/api/"
MAX_TARGET = 4096  # bytes of a path with its query

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_ASK_FOR_TOKEN = {"WWW-Authenticate": "Bearer"}
_NO_STORE = {"Cache-Control": "no-store"}

# role: what the user must have, or None: everybody may; handle: coroutine function (request, user) that returns a
# dict, or a Response, and raises Failure.
Route = namedtuple("Route", "method path role handle")


class Failure(Exception):
    """An answer that is no success. Args: status: of HTTP; text; headers: dict of further ones."""

    def __init__(self, status, text, headers=None):
        super().__init__(text)
        self.status = status
        self.headers = headers or {}


async def body_of(request, fields, optional=()):
    """Returns the dict that a request carries, as JSON. fields: {name: type} that it must have; optional: those of
    them that it may lack. Raises: Failure."""
    found = await json_of(request)
    if found.keys() - fields.keys():
        raise Failure(422, f"the body must be an object with {', '.join(fields)}")
    for name, kind in fields.items():
        if name not in found and name in optional:
            continue
        if not isinstance(found.get(name), kind):
            raise Failure(422, f"{name} must be a {kind.__name__}")
    return found


async def json_of(request):
    """Returns the dict that a request carries, as JSON. Raises: Failure."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Failure(415, "the body must be JSON, with Content-Type: application/json")
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_BODY:
            raise Failure(413, f"the body has more than {MAX_BODY} bytes", {"Connection": "close"})
    try:
        found = json.loads(bytes(data))
    except (ValueError, RecursionError):
        raise Failure(400, "the body is no JSON")
    if not isinstance(found, dict):
        raise Failure(422, "the body must be an object of JSON")
    return found


def application(routes, access, prefix="", refused=lambda text, peer: None):
    """Returns the ASGI application. Args: routes: of Route; access: Access; prefix: path before all of them;
    refused: is told of requests that come from where they must not."""
    found = [_starlette_route(route, access) for route in routes]
    app = Starlette(routes=[Mount(prefix, routes=found)] if prefix else found)
    app.add_exception_handler(
        HTTPException, lambda request, error: _error(error.status_code, error.detail, error.headers)
    )
    return _Guard(app, access, refused)


def _starlette_route(route, access):
    async def answer(request):
        request.scope["path_params"] = {name: unquote(text) for name, text in request.path_params.items()}
        user = access.asker(request.headers, request.cookies)
        # A page may be reached from anywhere; what it asks for may not.
        of_api = route.path.startswith(API)
        refusal = access.refuses(route.role, request.method, request.headers, user) if of_api else None
        if refusal is not None:
            return _error(refusal.status, refusal.text, _ASK_FOR_TOKEN if refusal.status == 401 else None)
        try:
            found = await route.handle(request, user)
        except Failure as failure:
            return _error(failure.status, str(failure), failure.headers)
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody
        return json_answer(found) if isinstance(found, dict) else found

    return StarletteRoute(route.path, answer, methods=[route.method])


def json_answer(found, status=200, headers=None):
    """Returns the Response with a dict, which nothing on the way keeps."""
    return Response(as_json(found), status, _NO_STORE | dict(headers or {}), "application/json")


def as_json(found):
    """Returns JSON (bytes, ASCII, no line end) of what JSON was read into, perhaps a client's: Python reads more than
    JSON has. Numbers that are not finite become null, and surrogates without the other half stay escapes."""
    try:
        text = json.dumps(found, separators=(",", ":"), allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(found), parse_constant=lambda name: None)
        text = json.dumps(finite, separators=(",", ":"))
    return text.encode()


def _error(status, text, headers=None):
    return json_answer({"error": text}, status, headers)


class _Guard:
    """Refuses what nothing is served to, and adds the headers of all answers."""

    def __init__(self, app, access, refused):
        self._app = app
        self._access = access
        self._refused = refused

    async def __call__(self, scope, receive, send):
        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        refusal = self._access.refuses_request(Headers(scope=scope))
        app = self._app
        if refusal is not None:
            self._refused(refusal.text, peer_of(Request(scope)))
            app = _error(refusal.status, refusal.text)
        elif len(scope["raw_path"]) + len(scope["query_string"]) > MAX_TARGET:
            app = _error(414, f"the path has more than {MAX_TARGET} bytes")
        # Routes are found by the path as it came: in an id, %2F is no slash.
        scope = {**scope, "path": scope["raw_path"].decode("latin-1")}
        await app(scope, receive, send_with_headers)


def peer_of(request):
    """Returns the address of the one who asks."""
    return request.client.host if request.client else "?"
