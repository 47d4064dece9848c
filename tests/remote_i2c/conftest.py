"""A certificate of a server of the tests."""

import shutil
import subprocess

import pytest

from remote_i2c.rpc.door import TLS


@pytest.fixture
def certificate(tmp_path, missing_tool):
    """(TLS, path of the certificate) of a server at 127.0.0.1."""
    if shutil.which("openssl") is None:
        missing_tool("openssl is not installed")
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", chain,
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return TLS(chain.read_bytes(), key.read_bytes()), chain
