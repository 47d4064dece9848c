"""The description of the API, as data: OpenAPI 3.1. A test compares it with the routes, and another asks by it."""

from protocol.limits import MAX_LINE
from server.gateways.web.history import BACKLOGS, COUNTS, MAX_POINTS, POINTS, ROUND_TRIP_S
from server.gateways.web.measured import LEVELS
from server.gateways.web.openapi_devices import DEVICE_PATHS, DEVICE_SCHEMAS
from server.gateways.web.openapi_parts import (
    COUNT,
    ID,
    MAYBE,
    NOW,
    SECONDS,
    TEXT,
    TIME,
    answers,
    body,
    list_of,
    object_of,
    query,
    ref,
)  # fmt: skip
from server.gateways.web.overview import MAX_PAGE, MAX_TEXT, SORTS, STATES
from server.gateways.web.recent import FROM_CLIENT, MAX_EVENTS, TO_CLIENT
from server.gateways.web.roles import ROLES
from server.gateways.web.sampled import SAMPLE_S

VIEWS = ("clients", "client", "log", "sensors", "console")  # of the stream

_MADE_OF = "Seconds of the intervals that the points are made of: seconds are kept for an hour, minutes for a day"

_SAMPLED = f"looked at each {SAMPLE_S:.0f} s while a page is open"
_OUTAGES = "Of the outages that are over; the present one began at `left`"
_OF_TCP = {**COUNT, "description": "Of TCP, as of the client's last event"}
_SORTS = [*SORTS, *(f"-{name}" for name in SORTS)]
_OF_CLIENTS = [
    query("state", "Only those in this state", type="string", enum=["", *STATES]),
    query("text", "Only those whose id contains this, in capital letters or small", type="string", maxLength=MAX_TEXT),
    query("sort", "The order; with - before it from the highest on", type="string", enum=_SORTS, default="id"),
    query("page", "From 0 on", type="integer", minimum=0, maximum=1 << 53, default=0),
    query("size", "Clients of a page", type="integer", minimum=1, maximum=MAX_PAGE, default=50),
]
_SCHEMAS = {
    "Error": object_of(error={**TEXT, "description": "What is wrong, and what to do"}),
    "User": object_of(user=TEXT, role={"type": "string", "enum": list(ROLES)}),
    "Client": object_of(
        id=TEXT, state={"type": "string", "enum": list(STATES)}, connected={"type": "boolean"},
        changed={**TIME, "description": "Since when it has this state, UTC, seconds since 1970; null: not known"},
        since=TIME, left=TIME, last_line=TIME, peer={"type": ["string", "null"], "description": "Address and port"},
        connections=COUNT, outages=COUNT, outage_s={**SECONDS, "description": _OUTAGES}, lines_received=COUNT,
        bytes_received=COUNT, lines_acknowledged=COUNT, lines_discarded=COUNT, lines_sent_again=COUNT,
        wire_bytes_received=_OF_TCP, wire_bytes_sent=_OF_TCP, round_trips=COUNT,
        round_trip_s={**SECONDS, "description": "The sum of all of them"},
        reason={"type": ["string", "null"], "description": "Why it was disconnected last"},
        bridge={"oneOf": [{"type": "null"}, ref("Bridge")], "description": "null: its client passes no reports on"},
        longest_round_trip_s=SECONDS, waiting_lines={**COUNT, "description": f"Not acknowledged; {_SAMPLED}"},
        lines_per_s={**MAYBE, "description": f"Both ways; {_SAMPLED}"},
        bytes_per_s={**MAYBE, "description": f"Of TCP, both ways; {_SAMPLED}"},
        unread_lines={"type": ["integer", "null"], "minimum": 0, "description": f"By the application; {_SAMPLED}"},
    ),
    "Bridge": object_of(
        at=NOW, number=COUNT, connections={**COUNT, "description": "Since it started"}, free_bytes=COUNT,
        fallbacks=COUNT, release={"type": ["string", "null"]}, rssi_dbm={"type": ["integer", "null"]},
    ),
    "Line": object_of(
        number=COUNT, at=NOW, way={"type": "string", "enum": [FROM_CLIENT, TO_CLIENT]},
        text={**TEXT, "description": "Its begin"}, bytes={**COUNT, "description": "Of the whole line"},
    ),
    "History": object_of(
        **{"from": COUNT}, to=COUNT, now=NOW, step={**COUNT, "description": "Seconds of a point"},
        resolution={"type": "integer", "enum": [level.interval_s for level in LEVELS], "description": _MADE_OF},
        points=object_of(
            at=list_of(COUNT), known_s=list_of(SECONDS), connected_s=list_of(MAYBE),
            **dict.fromkeys((*COUNTS, *BACKLOGS), list_of({"type": ["integer", "null"], "minimum": 0})),
            **dict.fromkeys(ROUND_TRIP_S, list_of(MAYBE)),
        ),
        reasons=list_of(object_of(at=NOW, reason=TEXT)),
    ),
    "Event": object_of(
        number=COUNT, at=NOW, event=TEXT, client={"type": ["string", "null"]},
        level={"type": "string", "enum": ["info", "warning", "error"]},
        details={"type": "object", "additionalProperties": TEXT},
    ),
}  # fmt: skip

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {
        "title": "pb_link",
        "version": "1",
        "description": "Clients of a running server: their lines, sensors, consoles and keys; I2C buses; the log. "
        "Scripts send a token of `pb-link web user add NAME --role ROLE --token` as Authorization: Bearer. Pages have "
        "a session, a cookie.",
    },
    "servers": [{"url": ".."}],
    "security": [{"token": []}, {"session": []}],
    "paths": {
        "/api/login": {
            "post": {
                "summary": "Begin a session.",
                "security": [],
                "requestBody": body("user", "password", user=TEXT, password=TEXT),
                "responses": answers(ref("User"), 400, 401, 403, 413, 415, 422, 429),
            }
        },
        "/api/logout": {
            "post": {"summary": "End the session.", "security": [], "responses": answers({"type": "object"}, 403)}
        },
        "/api/me": {"get": {"summary": "Who one is.", "responses": answers(ref("User"), 401, 403)}},
        "/api/clients": {
            "get": {
                "summary": "A page of the clients.",
                "parameters": _OF_CLIENTS,
                "responses": answers(
                    object_of(
                        clients=list_of(ref("Client")), matching=COUNT, total=COUNT, page=COUNT, size=COUNT,
                        now=NOW, states=object_of(**dict.fromkeys(STATES, COUNT)),
                    ), 401, 403, 422,
                ),
            }
        },
        "/api/clients/{id}": {
            "get": {
                "summary": "A client, with its last lines.",
                "parameters": [ID],
                "responses": answers(
                    object_of(client=ref("Client"), lines=list_of(ref("Line")), now=NOW), 401, 403, 404
                ),
            }
        },
        "/api/clients/{id}/lines": {
            "post": {
                "summary": "Send a line to a client. Needs the role send.",
                "parameters": [ID],
                "requestBody": body(
                    "line", line={**TEXT, "maxLength": MAX_LINE},
                    wait={"type": "boolean", "default": False, "description": "Until the client has it, 10 s at most"},
                ),
                "responses": answers(
                    object_of(
                        stored={"type": ["boolean", "null"], "description": "null: it is not known"},
                        delivered={"type": "boolean", "description": "With wait: the client has it"},
                    ), 400, 401, 403, 404, 413, 415, 422, 503,
                ),
            }
        },
        "/api/clients/{id}/key": {
            "post": {
                "summary": "Change the key of a client. Needs the role administer. A new key is shown only here.",
                "parameters": [ID],
                "requestBody": body("do", do={"type": "string", "enum": ["rotate", "revoke"]}),
                "responses": answers(
                    object_of(key={"type": ["string", "null"], "description": "64 hexadecimal digits; null: revoked"}),
                    400, 401, 403, 404, 409, 413, 415, 422,
                ),
            }
        },
        "/api/clients/{id}/history": {
            "get": {
                "summary": "What was measured of a client, as points of equal length.",
                "parameters": [
                    ID,
                    query("from", "UTC, s since 1970; else a day before", type="integer", minimum=0, maximum=1 << 53),
                    query("to", "UTC, s since 1970; else now", type="integer", minimum=1, maximum=1 << 53),
                    query("points", "At most so many", type="integer", minimum=1, maximum=MAX_POINTS, default=POINTS),
                ],
                "responses": answers(ref("History"), 401, 403, 404, 409, 422, 503),
            }
        },
        "/api/log": {
            "get": {
                "summary": "The last events of the server.",
                "parameters": [
                    query("after", "Only events with higher numbers", type="integer", minimum=0, maximum=1 << 53),
                    query("count", "Only so many, the newest", type="integer", minimum=1, maximum=MAX_EVENTS),
                ],
                "responses": answers(object_of(events=list_of(ref("Event"))), 401, 403, 422),
            }
        },
        "/api/events": {
            "get": {
                "summary": "Server-sent events: `snapshot`, then `change` with what has changed since, and `end`.",
                "parameters": [
                    query("view", "What to follow", type="string", enum=list(VIEWS), default=VIEWS[0]),
                    query("id", "Of the client, with view=client, sensors or console", type="string"),
                    *_OF_CLIENTS,
                ],
                "responses": {
                    **answers({}, 401, 403, 404, 422, 503),
                    "200": {"description": "A stream", "content": {"text/event-stream": {"schema": TEXT}}},
                },
            }
        },
        **DEVICE_PATHS,
        "/api/openapi.json": {
            "get": {"summary": "This document.", "security": [], "responses": answers({"type": "object"}, 403)}
        },
    },
    "components": {
        "schemas": _SCHEMAS | DEVICE_SCHEMAS,
        "securitySchemes": {
            "token": {"type": "http", "scheme": "bearer"},
            "session": {"type": "apiKey", "in": "cookie", "name": "pb_link_session"},
        },
    },
}  # fmt: skip
