"""Client ids and keys: what is valid, said clearly.

A key is 32 random bytes, in text 64 hexadecimal digits. There are no pass
phrases and there is no way to run without a key.
"""

from binascii import unhexlify

from protocol.limits import KEY_BYTES, MAX_ID
from protocol.text import decode_text, encode_text

_HOW = "make one with os.urandom(32).hex() and give the same to client and server"


def parse_key(key):
    """Return a key as 32 bytes.

    Args: key: bytes (32) or str (64 hexadecimal digits).
    Raises: ValueError that never shows the key.
    """
    if not key:
        raise ValueError("the link needs a key of 32 bytes: " + _HOW)
    if isinstance(key, str):
        try:
            key = unhexlify(key.strip())
        except ValueError:
            raise ValueError("the key is not 64 hexadecimal digits: " + _HOW)
    if not isinstance(key, (bytes, bytearray)):
        raise ValueError("the key must be 32 bytes or 64 hexadecimal digits: " + _HOW)
    if len(key) != KEY_BYTES:
        raise ValueError("the key has %d bytes instead of 32: %s" % (len(key), _HOW))
    return bytes(key)


def parse_id(client_id):
    """Return a client id without its optional trailing newline, surrogate pairs joined.

    Raises: TypeError, ValueError naming what is wrong with it.
    """
    if not isinstance(client_id, str):
        raise TypeError("the client id must be a str")
    if client_id.endswith("\n"):
        client_id = client_id[:-1]
    if "\n" in client_id or "\r" in client_id:
        raise ValueError("the client id contains a newline; only a last one is allowed")
    if not client_id:
        raise ValueError("the client id is empty")
    try:
        data = encode_text(client_id)
    except ValueError as error:
        raise ValueError("the client id: %s" % error)
    if len(data) > MAX_ID:
        raise ValueError("the client id is longer than %d bytes" % MAX_ID)
    return decode_text(data)
