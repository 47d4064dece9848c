"""Who may come in: `authorization: Bearer TOKEN` in the metadata of each call, but those of the health service."""

import hmac

import grpc

from remote_i2c.errors import CALLER
from remote_i2c.rpc.peers import host_of

# A token is at least so long: nobody can try them all.
MIN_TOKEN = 16
HEALTH = "/grpc.health.v1.Health/"
BEARER = "Bearer "


def read_token(text):
    """Returns the token of a file's text. Raises: ValueError: it is none."""
    token = text.strip()
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        raise ValueError(
            f"a token is one line of at least {MIN_TOKEN} printable ASCII characters without blanks. Make one with:  "
            'python3 -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return token


class TokenInterceptor(grpc.aio.ServerInterceptor):
    """Refuses calls without the token. Args: token: str; refused: function (peer, path), told of each refusal."""

    def __init__(self, token, refused=lambda peer, path: None):
        self._expected = (BEARER + token).encode()
        self._refused = refused

    async def intercept_service(self, continuation, handler_call_details):
        if handler_call_details.method.startswith(HEALTH) or self._may(handler_call_details.invocation_metadata):
            return await continuation(handler_call_details)
        return grpc.unary_unary_rpc_method_handler(self._refusal(handler_call_details.method))

    def _may(self, metadata):
        values = [value for key, value in metadata or () if key == "authorization"]
        given = values[0] if len(values) == 1 else ""
        return hmac.compare_digest(given.encode() if isinstance(given, str) else given, self._expected)

    def _refusal(self, path):
        async def refuse(request, context):
            self._refused(host_of(context.peer()), path)
            context.set_trailing_metadata((("errno", "EPERM"), ("place", CALLER)))
            context.set_code(grpc.StatusCode.UNAUTHENTICATED)
            context.set_details("a valid token is needed: metadata authorization: Bearer TOKEN")
            return b""

        return refuse
