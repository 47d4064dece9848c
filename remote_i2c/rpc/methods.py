"""The methods of the two services, from their descriptors: paths and messages, for handlers and for callers.

A method is a name of gRPC, "/pb_link.smbus.v1.SMBus/ReadByte". This takes the place of generated stubs.
"""

from typing import NamedTuple

import grpc
from google.protobuf.message_factory import GetMessageClass

from remote_i2c.rpc import smbus_pb2, smbus_rcp_pb2

SMBUS = smbus_pb2.DESCRIPTOR.services_by_name["SMBus"]
ORIGINAL = smbus_rcp_pb2.DESCRIPTOR.services_by_name["SmbusRcp"]


class Method(NamedTuple):
    """path: of HTTP/2; request, reply: classes of messages."""

    path: str
    request: type
    reply: type


def methods(service):
    """Returns {name: Method} of a service's descriptor."""
    return {
        method.name: Method(
            f"/{service.full_name}/{method.name}",
            GetMessageClass(method.input_type),
            GetMessageClass(method.output_type),
        )
        for method in service.methods
    }


def handlers(service, implementations):
    """Returns the handlers that a server of gRPC adds.

    Args: implementations: {name: coroutine function of request and context}, one for each method."""
    rows = {
        name: grpc.unary_unary_rpc_method_handler(implementations[name], method.request.FromString, serialized)
        for name, method in methods(service).items()
    }
    return grpc.method_handlers_generic_handler(service.full_name, rows)


def callers(channel, service):
    """Returns {name: what calls the method on this channel}. channel: of grpc, or of grpc.aio."""
    return {
        name: channel.unary_unary(method.path, serialized, method.reply.FromString)
        for name, method in methods(service).items()
    }


def serialized(message):
    """Returns the bytes of a message."""
    return message.SerializeToString()
