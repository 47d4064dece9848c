"""HMAC-SHA256 (RFC 2104) from `hashlib.sha256` alone. `hmac` is not on the boards."""

from hashlib import sha256

_BLOCK = 64  # bytes of a SHA-256 block


class Hmac:
    """HMAC-SHA256 under one key, for many messages.

    The two padded keys are made once; a message costs two SHA-256 objects.
    """

    def __init__(self, key):
        """key: bytes, at most 64."""
        if len(key) > _BLOCK:
            raise ValueError("HMAC key longer than 64 bytes")
        number = int.from_bytes(key + bytes(_BLOCK - len(key)), "big")  # byte by byte takes 15 times as long
        self._inner = _padded(number, b"\x36")
        self._outer = _padded(number, b"\x5c")

    def digest(self, *parts):
        """The 32-byte HMAC of the parts taken as one message."""
        digest = self.begun()
        for part in parts:
            digest.update(part)
        return self.ended(digest)

    def begun(self):
        """Returns the sha256 object for a message, to be updated with its parts, and then `ended`. It does not make a
        tuple of them, as a call of `digest` does."""
        return sha256(self._inner)

    def ended(self, digest):
        """Returns the 32-byte HMAC of the message that `digest` was updated with."""
        inner = digest.digest()
        digest = sha256(self._outer)
        digest.update(inner)
        return digest.digest()

    def __repr__(self):
        return "Hmac(...)"  # a key never reaches a log


def _padded(number, pad):
    return (number ^ int.from_bytes(pad * _BLOCK, "big")).to_bytes(_BLOCK, "big")


def hmac(key, *parts):
    """The HMAC of one message under a key that is not used often: nothing of it is kept."""
    return Hmac(key).digest(*parts)
