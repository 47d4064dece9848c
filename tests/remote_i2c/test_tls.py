"""Certificates and keys that a door cannot use."""

import pytest

from remote_i2c.tls import read_tls
from tests.remote_i2c.conftest import make_certificate


def test_a_pair_is_read(certificate, tmp_path):
    tls, chain = certificate
    assert tls.certificate == chain.read_bytes() and b"PRIVATE KEY" in tls.key


@pytest.mark.parametrize("what", ["certificate", "key", "both", "another", "locked", "empty"])
def test_what_is_no_pair_names_both_files(certificate, tmp_path, missing_tool, what):
    _, chain = certificate
    key, none = tmp_path / "key.pem", tmp_path / "none.pem"
    none.write_text("" if what == "empty" else "none")
    (tmp_path / "other").mkdir()
    protection = ["-passout", "pass:secret"] if what == "locked" else ["-nodes"]
    other = make_certificate(tmp_path / "other", missing_tool, protection)
    pair = {
        "certificate": (none, key), "key": (chain, none), "both": (none, none), "another": (chain, other[0]),
        "locked": (other[1], other[0]), "empty": (none, none),
    }[what]  # fmt: skip
    with pytest.raises(ValueError) as caught:
        read_tls(*map(str, pair))
    assert f"the certificate {pair[0]} and its key {pair[1]} cannot be used" in str(caught.value)


def test_a_file_that_is_not_there_is_named(certificate, tmp_path):
    with pytest.raises(OSError) as caught:
        read_tls(certificate[1], tmp_path / "absent.pem")
    assert str(caught.value.filename) == str(tmp_path / "absent.pem")
