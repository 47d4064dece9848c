"""The description of the API, as data: OpenAPI 3.1. A test compares it with the routes, and another asks by it."""

from protocol.limits import MAX_LINE
from server.gateways.web.overview import MAX_PAGE, MAX_TEXT, SORTS, STATES
from server.gateways.web.recent import FROM_CLIENT, MAX_EVENTS, TO_CLIENT
from server.gateways.web.roles import ROLES

VIEWS = ("clients", "client", "log")  # of the stream

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_SECONDS = {"type": "number", "minimum": 0}
_TIME = {"type": ["number", "null"], "description": "UTC, seconds since 1970; null: never"}
_NOW = {**_TIME, "type": "number", "description": "The server's clock, UTC, seconds since 1970"}


def _object(**properties):
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(items):
    return {"type": "array", "items": items}


def _ref(name):
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema):
    return {"application/json": {"schema": schema}}


def _answers(schema, *failures):
    """Returns the answers of an operation: 200, and these, and those that each may have."""
    texts = {
        400: "It is no JSON", 401: "Nobody is logged in", 403: "The role does not allow it, or it comes from elsewhere",
        404: "There is no such client", 409: "The key file does not allow it", 413: "The body is too long",
        415: "The body is not declared as JSON", 422: "A value is wrong; the error names it",
        429: "There were too many attempts", 503: "The store, or a limit, does not allow it now",
    }  # fmt: skip
    found = {str(code): {"description": texts[code], "content": _json(_ref("Error"))} for code in failures}
    return {"200": {"description": "Done", "content": _json(schema)}, **found}


def _body(*required, **properties):
    schema = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return {"required": True, "content": _json(schema)}


def _query(name, text, **schema):
    return {"name": name, "in": "query", "description": text, "required": False, "schema": schema}


_ID = {"name": "id", "in": "path", "description": "Of a client", "required": True, "schema": {**_TEXT, "minLength": 1}}
_SORTS = [*SORTS, *(f"-{name}" for name in SORTS)]
_OF_CLIENTS = [
    _query("state", "Only those in this state", type="string", enum=["", *STATES]),
    _query("text", "Only those whose id contains this, in capital letters or small", type="string", maxLength=MAX_TEXT),
    _query("sort", "The order; with - before it from the highest on", type="string", enum=_SORTS, default="id"),
    _query("page", "From 0 on", type="integer", minimum=0, maximum=1 << 53, default=0),
    _query("size", "Clients of a page", type="integer", minimum=1, maximum=MAX_PAGE, default=50),
]
_SCHEMAS = {
    "Error": _object(error={**_TEXT, "description": "What is wrong, and what to do"}),
    "User": _object(user=_TEXT, role={"type": "string", "enum": list(ROLES)}),
    "Client": _object(
        id=_TEXT, state={"type": "string", "enum": list(STATES)}, connected={"type": "boolean"},
        changed={**_TIME, "description": "Since when it has this state, UTC, seconds since 1970; null: not known"},
        since=_TIME, left=_TIME, last_line=_TIME, peer={"type": ["string", "null"], "description": "Address and port"},
        connections=_COUNT, outages=_COUNT, outage_s=_SECONDS, lines_received=_COUNT, bytes_received=_COUNT,
        lines_acknowledged=_COUNT, lines_discarded=_COUNT, lines_sent_again=_COUNT, wire_bytes_received=_COUNT,
        wire_bytes_sent=_COUNT, round_trips=_COUNT, round_trip_s={**_SECONDS, "description": "The sum of all of them"},
        reason={"type": ["string", "null"], "description": "Why it was disconnected last"},
        longest_round_trip_s=_SECONDS, waiting_lines={**_COUNT, "description": "Not acknowledged; 5 s old at most"},
    ),
    "Line": _object(
        number=_COUNT, at=_NOW, way={"type": "string", "enum": [FROM_CLIENT, TO_CLIENT]},
        text={**_TEXT, "description": "Its begin"}, bytes={**_COUNT, "description": "Of the whole line"},
    ),
    "Event": _object(
        number=_COUNT, at=_NOW, event=_TEXT, client={"type": ["string", "null"]},
        level={"type": "string", "enum": ["info", "warning", "error"]},
        details={"type": "object", "additionalProperties": _TEXT},
    ),
}  # fmt: skip

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {
        "title": "pb_link",
        "version": "1",
        "description": "Clients, their lines, the log and keys of a running server. Scripts send a token of `pb-link "
        "web user add NAME --role ROLE --token` as Authorization: Bearer. Pages have a session, a cookie.",
    },
    "servers": [{"url": ".."}],
    "security": [{"token": []}, {"session": []}],
    "paths": {
        "/api/login": {
            "post": {
                "summary": "Begin a session.",
                "security": [],
                "requestBody": _body("user", "password", user=_TEXT, password=_TEXT),
                "responses": _answers(_ref("User"), 400, 401, 403, 413, 415, 422, 429),
            }
        },
        "/api/logout": {
            "post": {"summary": "End the session.", "security": [], "responses": _answers({"type": "object"}, 403)}
        },
        "/api/me": {"get": {"summary": "Who one is.", "responses": _answers(_ref("User"), 401, 403)}},
        "/api/clients": {
            "get": {
                "summary": "A page of the clients.",
                "parameters": _OF_CLIENTS,
                "responses": _answers(
                    _object(
                        clients=_list(_ref("Client")), matching=_COUNT, total=_COUNT, page=_COUNT, size=_COUNT,
                        now=_NOW, states=_object(**dict.fromkeys(STATES, _COUNT)),
                    ), 401, 403, 422,
                ),
            }
        },
        "/api/clients/{id}": {
            "get": {
                "summary": "A client, with its last lines.",
                "parameters": [_ID],
                "responses": _answers(
                    _object(client=_ref("Client"), lines=_list(_ref("Line")), now=_NOW), 401, 403, 404
                ),
            }
        },
        "/api/clients/{id}/lines": {
            "post": {
                "summary": "Send a line to a client. Needs the role send.",
                "parameters": [_ID],
                "requestBody": _body(
                    "line", line={**_TEXT, "maxLength": MAX_LINE},
                    wait={"type": "boolean", "default": False, "description": "Until the client has it, 10 s at most"},
                ),
                "responses": _answers(
                    _object(
                        stored={"type": ["boolean", "null"], "description": "null: it is not known"},
                        delivered={"type": "boolean", "description": "With wait: the client has it"},
                    ), 400, 401, 403, 404, 413, 415, 422, 503,
                ),
            }
        },
        "/api/clients/{id}/key": {
            "post": {
                "summary": "Change the key of a client. Needs the role administer. A new key is shown only here.",
                "parameters": [_ID],
                "requestBody": _body("do", do={"type": "string", "enum": ["rotate", "revoke"]}),
                "responses": _answers(
                    _object(key={"type": ["string", "null"], "description": "64 hexadecimal digits; null: revoked"}),
                    400, 401, 403, 404, 409, 413, 415, 422,
                ),
            }
        },
        "/api/log": {
            "get": {
                "summary": "The last events of the server.",
                "parameters": [
                    _query("after", "Only events with higher numbers", type="integer", minimum=0, maximum=1 << 53),
                    _query("count", "Only so many, the newest", type="integer", minimum=1, maximum=MAX_EVENTS),
                ],
                "responses": _answers(_object(events=_list(_ref("Event"))), 401, 403, 422),
            }
        },
        "/api/events": {
            "get": {
                "summary": "Server-sent events: `snapshot`, then `change` with what has changed since, and `end`.",
                "parameters": [
                    _query("view", "What to follow", type="string", enum=list(VIEWS), default=VIEWS[0]),
                    _query("id", "Of the client, with view=client", type="string"),
                    *_OF_CLIENTS,
                ],
                "responses": {
                    **_answers({}, 401, 403, 404, 422, 503),
                    "200": {"description": "A stream", "content": {"text/event-stream": {"schema": _TEXT}}},
                },
            }
        },
        "/api/openapi.json": {
            "get": {"summary": "This document.", "security": [], "responses": _answers({"type": "object"}, 403)}
        },
    },
    "components": {
        "schemas": _SCHEMAS,
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": "pb_link_session"},
        },
    },
}  # fmt: skip
