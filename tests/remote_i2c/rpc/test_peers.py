"""Addresses of peers."""

import pytest

from remote_i2c.rpc.peers import host_of


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
