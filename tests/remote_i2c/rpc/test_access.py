"""Tokens."""

import asyncio
from types import SimpleNamespace

import grpc
import pytest

from remote_i2c.rpc.access import TokenInterceptor, read_token

TOKEN = "a-token-of-the-tests"


def passes(metadata, method="/pb_link.smbus.v1.SMBus/Open"):
    """Returns whether a call with this metadata comes through."""
    refused = []

    async def main():
        async def passed(details):
            return "handler"

        interceptor = TokenInterceptor(TOKEN, lambda *refusal: refused.append(refusal))
        details = SimpleNamespace(method=method, invocation_metadata=metadata)
        handler = await interceptor.intercept_service(passed, details)
        if handler == "handler":
            return True
        told = {}
        context = SimpleNamespace(peer=lambda: "ipv4:192.0.2.7:1", set_code=lambda code: told.update(code=code))
        context.set_details = context.set_trailing_metadata = lambda value: None
        assert await handler.unary_unary(b"", context) == b"" and told["code"] is grpc.StatusCode.UNAUTHENTICATED
        return False

    result = asyncio.run(main())
    assert refused == ([] if result else [("192.0.2.7", method)])
    return result


def test_token_lets_in():
    assert passes((("authorization", f"Bearer {TOKEN}"),))


@pytest.mark.parametrize(
    "metadata",
    [
        None, (), (("authorization", TOKEN),), (("authorization", f"Bearer {TOKEN}x"),),
        (("authorization", "Bearer "),),
        (("authorization", b"Bearer " + TOKEN.encode()[:-1]),), (("Authorization-x", f"Bearer {TOKEN}"),),
        (("authorization", f"Bearer {TOKEN}"), ("authorization", "Bearer another")),
    ],
)  # fmt: skip
def test_nothing_else_does(metadata):
    assert not passes(metadata)


def test_health_can_be_asked_for_without_it():
    assert passes((), "/grpc.health.v1.Health/Check")
    assert not passes((), "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")


def test_token_is_read_from_a_file():
    assert read_token(f" {TOKEN}\n") == TOKEN


@pytest.mark.parametrize("text", ["", "short", "two words of the same", "line one of it\nline two", "ümlaut" * 5])
def test_what_is_no_token_is_refused_with_how_to_make_one(text):
    with pytest.raises(ValueError, match="secrets.token_urlsafe"):
        read_token(text)
