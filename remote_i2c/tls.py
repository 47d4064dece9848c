"""The certificate of a door, and its key: read and looked at before the door opens."""

import ssl
from typing import NamedTuple


class TLS(NamedTuple):
    """What proves who the server is. certificate: bytes, PEM, with the chain behind it; key: bytes, PEM."""

    certificate: bytes
    key: bytes


def read_tls(certificate, key):
    """Returns the TLS of two files. Raises: OSError: one cannot be read; ValueError: they are no such pair; both name
    the file."""
    pair = TLS(_bytes(certificate), _bytes(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")  # nobody is asked for one
    except ssl.SSLError as error:
        why = f" ({error.reason})" if error.reason else ""
        raise ValueError(
            f"the certificate {certificate} and its key {key} cannot be used{why}: both must be PEM, the key that of "
            "the certificate, and without a pass phrase"
        ) from None
    return pair


def _bytes(path):
    with open(path, "rb") as file:
        return file.read()
