"""The description of what is asked of devices: sensors, the device manager of Raft, consoles, I2C buses."""

from remote_i2c.messages import HIGHEST_ADDRESS, MAX_BYTES
from server.gateways.web.console import MAX_TYPED
from server.gateways.web.openapi_parts import (
    COUNT,
    ID,
    NOW,
    TEXT,
    TIME,
    answers,
    body,
    list_of,
    object_of,
    query,
    ref,
)  # fmt: skip
from server.gateways.web.sensors import STATES

_DEVICE = (
    query("deviceid", "Bus and address, hexadecimal with the slot: 1_38", type="string"),
    query("addr", "In its place: the address, hexadecimal with the slot", type="string"),
    query("bus", "With addr: the number of the bus", type="string"),
)
# Requests of /api/devman/: those that only read, those that send to a device, those that change the bus; each with its
# summary and its arguments.
READING = {
    "typeinfo": ("The description of a type of device.", (
        query("type", "Its name or number", type="string"), query("deviceid", "Or a device of the type", type="string"),
    )),
    "listdevs": ("The devices of the client's bus.", ()),
    "busname": ("The name of a bus, which is its number.", (query("busnum", "Its number", type="string"),)),
}  # fmt: skip
SENDING = {
    "cmdraw": ("Write bytes to a device, and read some.", (
        *_DEVICE, query("hexWr", "Bytes to write, hexadecimal", type="string"),
        query("numToRd", "Bytes to read, 0 to 240", type="string"),
        query("timeoutMs", "1 to 10000; 1000 by default", type="string"),
    )),
}  # fmt: skip
CONFIGURING = {
    "cmdjson": ("A command of the client's sensor bus.", (
        query("body", "An object of JSON: cmd, and its arguments", type="string"),
    )),
    "devconfig": ("How often a device is polled, and how many samples are kept.", (
        *_DEVICE, query("intervalUs", "Between polls", type="string"), query("sampleRateHz", "Or this", type="string"),
        query("numSamples", "1 to 255", type="string"),
    )),
    "bar": ("Leave a device alone for a time.", (*_DEVICE, query("ms", "How long, 0 to 65536", type="string"))),
    "pause": ("Pause scan and polls.", ()),
    "resume": ("Go on with scan and polls.", ()),
    "rescan": ("Scan all addresses anew.", ()),
}  # fmt: skip
_BUS = {"name": "bus", "in": "path", "description": "Of the settings", "required": True, "schema": TEXT}
_ADDRESSES = list_of({"type": "integer"})
_CLIENT = {**query("client", "The id of the client", type="string", minLength=1), "required": True}
# Arguments may come in the body of a POST as well: a record of `addtype` is longer than an address may be.
_ARGUMENTS = {
    "type": "object", "additionalProperties": {"type": ["string", "number", "object"]},
    "description": "The same arguments, in place of those in the address",
}  # fmt: skip
_ANSWER = {
    "type": "object",
    "properties": {
        "req": TEXT, "rslt": {"type": "string", "enum": ["ok", "fail"]},
        "error": {**TEXT, "description": "With fail: what is wrong"},
    },
    "required": ["req", "rslt"],
    "additionalProperties": True,
}  # fmt: skip


def _devman(name, text, arguments, needs):
    found = {"summary": text + needs, "parameters": [_CLIENT, *arguments]}
    failures = [401, 403, 404, 503]
    if needs:
        found["requestBody"] = {"required": False, "content": {"application/json": {"schema": _ARGUMENTS}}}
        failures += [400, 413, 415, 422]
    return {**found, "responses": answers(_ANSWER, *failures)}


DEVICE_PATHS = {
    "/api/sensors/{id}": {
        "get": {
            "summary": "The newest readings of a client's sensors, as far as somebody follows them, and what is there.",
            "parameters": [ID],
            "responses": answers(
                object_of(
                    state={"type": "string", "enum": list(STATES)}, sensors=list_of(ref("Sensor")), now=NOW,
                ), 401, 403, 404, 503,
            ),
        }
    },
    "/api/console/{id}": {
        "get": {
            "summary": "The newest lines that a client has printed.",
            "parameters": [ID],
            "responses": answers(
                object_of(
                    lines=list_of(ref("Printed")), now=NOW,
                    begun={**TEXT, "description": "The line that is not complete"},
                    number={**COUNT, "description": "Of the newest line"}, missed=COUNT,
                    used={"type": "boolean", "description": "It has sent to its console since the server started"},
                    refused={"type": ["string", "null"], "description": "Why nothing may be typed for it"},
                ), 401, 403, 404,
            ),
        },
        "post": {
            "summary": "Type for a client's REPL, if its program and its key allow it. Needs the role administer.",
            "parameters": [ID],
            "requestBody": body("input", input={**TEXT, "minLength": 1, "maxLength": MAX_TYPED}),
            "responses": answers(
                object_of(sent={"type": "boolean"}), 400, 401, 403, 404, 409, 413, 415, 422, 503
            ),
        },
    },
    "/api/i2c": {
        "get": {
            "summary": "The I2C buses that may be used.",
            "responses": answers(object_of(buses=list_of(ref("Bus"))), 401, 403),
        }
    },
    "/api/i2c/{bus}/scan": {
        "post": {
            "summary": "Look which of the allowed addresses answer. Needs the role send.",
            "parameters": [_BUS],
            "responses": answers(
                object_of(
                    found=_ADDRESSES, in_use={**_ADDRESSES, "description": "A driver of the kernel has these"},
                    unknown={**_ADDRESSES, "description": "The bus cannot look at these"},
                    refused={**_ADDRESSES, "description": "The client does not allow these"},
                ), 401, 403, 404, 409, 503,
            ),
        }
    },
    "/api/i2c/{bus}/transfer": {
        "post": {
            "summary": "Write bytes to a device, read some, or both, joined by a repeated start. Needs the role send.",
            "parameters": [_BUS],
            "requestBody": body(
                "address", address={"type": "integer", "minimum": 0, "maximum": HIGHEST_ADDRESS},
                write={**TEXT, "description": "Hexadecimal digits, two for each byte"},
                read={"type": "integer", "minimum": 0, "maximum": MAX_BYTES},
            ),
            "responses": answers(
                object_of(read={**TEXT, "description": "What was read, hexadecimal"}),
                400, 401, 403, 404, 409, 413, 415, 422, 503,
            ),
        }
    },
    **{f"/api/devman/{name}": {"get": _devman(name, *one, "")} for name, one in READING.items()},
    **{f"/api/devman/{name}": {"post": _devman(name, *one, " Needs the role send.")} for name, one in SENDING.items()},
    **{
        f"/api/devman/{name}": {"post": _devman(name, *one, " Needs the role administer.")}
        for name, one in CONFIGURING.items()
    },
}  # fmt: skip
DEVICE_SCHEMAS = {
    "Bus": object_of(
        name=TEXT, client={"type": ["string", "null"], "description": "That has it; null: the server does"},
        addresses={**_ADDRESSES, "description": "That may be used"},
    ),
    "Printed": object_of(
        number=COUNT, at=NOW, text={**TEXT, "description": "Its control characters are escapes"},
    ),
    "Sensor": object_of(
        device={**TEXT, "description": "Bus and address: 1_38"}, type={"type": ["string", "null"]},
        at={**TIME, "description": "Of the reading, UTC; null: there is none"},
        online={"type": "boolean", "description": "It answered when this was read"},
        values=list_of(
            object_of(
                name=TEXT, unit=TEXT, valid={"type": "boolean", "description": "In its range, its checksum right"},
                value={"type": ["number", "string", "array", "boolean", "null"]},
            )
        ),
        raw={**TEXT, "description": "The bytes of the sample, hexadecimal"},
    ),
}  # fmt: skip
