"""Addresses of peers, and of the door."""

import pytest

from remote_i2c.rpc.peers import host_of, is_loopback, split_listen


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("ipv4:192.0.2.7:51234", "192.0.2.7"),
        ("ipv6:%5B2001:db8::1%5D:51234", "2001:db8::1"),
        ("ipv6:[::1]:1", "::1"),
        ("unix:", "unix:"),
    ],
)
def test_host_of_a_peer_has_no_port(peer, host):
    assert host_of(peer) == host


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "127.9.9.9:1", "[::1]:50051", "localhost:50051"])
def test_loopback_is_known(listen):
    assert is_loopback(listen)


@pytest.mark.parametrize("listen", ["0.0.0.0:1", "192.0.2.1:1", "[::]:1", "mast:50051", "127.0.0.1.example.org:1"])
def test_what_can_be_reached_from_elsewhere_is_not_taken_for_it(listen):
    assert not is_loopback(listen)


@pytest.mark.parametrize("listen", ["", "127.0.0.1", ":50051", "127.0.0.1:", "::1:5", "127.0.0.1:x", "127.0.0.1:65536"])
def test_what_is_no_address_is_refused_with_an_example(listen):
    with pytest.raises(ValueError, match=r"such as .*\[::1\]:50051"):
        split_listen(listen)
