"""The service SmbusRcp of smbus-proxy (2019), for its clients: the same sessions and calls under its names.

Its clients know one kind of failure: code 1, and a text. The status of gRPC is always OK. A session is the metadata
`client_id`; `open` sends it behind its answer. Its clients ping each second.
"""

from errno import EINVAL

from remote_i2c.errors import CALLER, BusError
from remote_i2c.messages import MAX_BLOCK
from remote_i2c.rpc.methods import ORIGINAL, handlers, methods
from remote_i2c.rpc.peers import host_of
from remote_i2c.rpc.smbus_pb2 import Request
from remote_i2c.rpc.smbus_rcp_pb2 import OriginalStatus

FAILED = 1

# The original's call: (ours, what its request has beside the address, what its answer has).
_CALLS = {
    "read_byte": ("ReadByte", (), "value"),
    "write_byte": ("WriteByte", ("value",), None),
    "read_byte_data": ("ReadByteData", ("register",), "value"),
    "write_byte_data": ("WriteByteData", ("register", "value"), None),
    "read_word_data": ("ReadWordData", ("register",), "value"),
    "write_word_data": ("WriteWordData", ("register", "value"), None),
    "read_i2c_block_data": ("ReadI2CBlockData", ("register", "length"), "data"),
    "write_i2c_block_data": ("WriteI2CBlockData", ("register", "data"), None),
}


def original_handlers(buses):
    """Returns the handlers of the service. Args: buses: service.Buses."""
    return handlers(ORIGINAL, original_rows(buses))


def original_rows(buses):
    """Returns {name of a method: coroutine function (request, context)}. Whatever the request has, it returns."""

    async def open_bus(request, context):
        session = await buses.open(str(request.i2c_bus), host_of(context.peer()))
        context.set_trailing_metadata((("client_id", session.id),))
        return OriginalStatus()

    async def close(request, context):
        buses.close(_client_of(context))
        return OriginalStatus()

    async def ping(request, context):
        buses.use(_client_of(context))
        return OriginalStatus()

    def call(name):
        ours, fields, result = _CALLS[name]
        answer = methods(ORIGINAL)[name].reply

        async def called(request, context):
            reply = await buses.call(_client_of(context), ours, _request(request, fields))
            if result is None:
                return OriginalStatus()
            if result == "value":
                return answer(data=reply.value)
            return answer(data=reply.data, length=len(reply.data))

        return called

    rows = {"open": open_bus, "close": close, "ping": ping, **{name: call(name) for name in _CALLS}}
    answers = {name: method.reply for name, method in methods(ORIGINAL).items()}
    return {name: _told(row, answers[name]) for name, row in rows.items()}


def _request(request, fields):
    """Returns the Request of an original one. Raises: BusError(EINVAL): a number is negative."""
    values = {"address": request.i2c_addr, **{field: getattr(request, field) for field in fields}}
    for name, value in values.items():
        if isinstance(value, int) and value < 0:
            raise BusError(EINVAL, f"{name} {value} is negative", place=CALLER)
    if values.get("length") == 0:  # what the older SMBus module reads if no length is told
        values["length"] = MAX_BLOCK
    return Request(**values)


def _client_of(context):
    return next((value for key, value in context.invocation_metadata() or () if key == "client_id"), "")


def _told(implementation, answer):
    """Returns the implementation with its errors in its answer. answer: class of the message."""

    async def handle(request, context):
        try:
            return await implementation(request, context)
        except (OSError, TypeError, ValueError) as error:
            status = OriginalStatus(code=FAILED, exception=f"proxy server: {error}")
            return status if answer is OriginalStatus else answer(status=status)

    return handle
