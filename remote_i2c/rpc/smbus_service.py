"""The service pb_link.smbus.v1.SMBus: each method of smbus.proto as gRPC calls it."""

from remote_i2c.rpc.calls import KINDS
from remote_i2c.rpc.methods import SMBUS, handlers
from remote_i2c.rpc.peers import host_of
from remote_i2c.rpc.smbus_pb2 import OpenReply, Reply
from remote_i2c.rpc.status import status_of


def smbus_handlers(buses):
    """Returns the handlers of the service. Args: buses: service.Buses."""
    return handlers(SMBUS, smbus_rows(buses))


def smbus_rows(buses):
    """Returns {name of a method: coroutine function (request, context)}. Whatever the request has, it returns."""

    async def open_bus(request, context):
        session = await buses.open(request.bus, host_of(context.peer()))
        return OpenReply(
            session=session.id,
            functions=session.bus.functions,
            expiry_ms=int(buses.sessions.expiry_s * 1000),
            max_bytes=session.bus.max_bytes,
        )

    async def close(request, context):
        buses.close(request.session)
        return Reply()

    async def ping(request, context):
        buses.use(request.session)
        return Reply()

    def call(name):
        async def called(request, context):
            return await buses.call(request.session, name, request)

        return called

    async def transfer(request, context):
        return await buses.transfer(request.session, request)

    async def batch(request, context):
        return await buses.batch(request)

    rows = {"Open": open_bus, "Close": close, "Ping": ping, "Transfer": transfer, "Batch": batch}
    rows |= {name: call(name) for name in KINDS}
    return {name: _told(row) for name, row in rows.items()}


def _told(implementation):
    """Returns the implementation with its errors as a status of gRPC."""

    async def handle(request, context):
        try:
            return await implementation(request, context)
        except (OSError, TypeError, ValueError) as error:
            code, text, metadata = status_of(error)
            context.set_code(code)
            context.set_details(text)
            context.set_trailing_metadata(metadata)
            return Reply()  # not sent

    return handle
