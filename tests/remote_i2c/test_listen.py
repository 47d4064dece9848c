"""Where a door listens, and who reaches it."""

import pytest

from remote_i2c.listen import is_loopback, split_listen


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        ("127.0.0.1:0", ("127.0.0.1", 0)), (" [::1]:50051 ", ("::1", 50051)), ("mast:65535", ("mast", 65535)),
    ],
)  # fmt: skip
def test_host_and_port_are_told_apart(listen, found):
    assert split_listen(listen) == found


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_loopback_is_known(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "mast", "127.0.0.1.example.org", ""])
def test_what_can_be_reached_from_elsewhere_is_not_taken_for_it(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("listen", ["", "127.0.0.1", ":50051", "127.0.0.1:", "::1:5", "127.0.0.1:x", "127.0.0.1:65536"])
def test_what_is_no_address_is_refused_with_an_example(listen):
    with pytest.raises(ValueError, match=r"such as .*\[::1\]:"):
        split_listen(listen)
