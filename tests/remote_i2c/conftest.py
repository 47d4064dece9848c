"""A certificate of a server of the tests."""

import shutil
import subprocess

import pytest

from remote_i2c.tls import read_tls


@pytest.fixture
def certificate(tmp_path, missing_tool):
    """(TLS, path of the certificate) of a server at 127.0.0.1."""
    key, chain = make_certificate(tmp_path, missing_tool)
    return read_tls(chain, key), chain


def make_certificate(folder, missing_tool, protection=("-nodes",)):
    """Make a key and a certificate of 127.0.0.1. Returns their paths."""
    if shutil.which("openssl") is None:
        missing_tool("openssl is not installed")
    key, chain = folder / "key.pem", folder / "chain.pem"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    name = ("-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1")
    command = ["openssl", "req", "-x509", *curve, *protection, "-days", "2", *name, "-keyout", key, "-out", chain]
    subprocess.run(command, check=True, capture_output=True)
    return key, chain
