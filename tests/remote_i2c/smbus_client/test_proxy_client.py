"""ProxyClient: the names of smbus-proxy."""

import errno

import pytest

from remote_i2c.smbus_client.proxy_client import ProxyClient
from tests.remote_i2c.doors import A, open_door


def test_eight_calls_and_close():
    with open_door() as door:
        client = ProxyClient(f"127.0.0.1:{door.port}", 1)
        client.write_byte(A, 3)
        assert client.read_byte(A) == 3
        client.write_byte_data(A, 5, 6)
        assert client.read_byte_data(A, 5) == 6
        client.write_word_data(A, 5, 0x1234)
        assert client.read_word_data(A, 5) == 0x1234
        client.write_i2c_block_data(A, 5, [1, 2])
        assert client.read_i2c_block_data(A, 5)[:3] == [1, 2, 7]
        assert len(client.read_i2c_block_data(A, 5)) == 32 and client.read_i2c_block_data(A, 5, 2) == [1, 2]
        client.close()
        with pytest.raises(OSError) as caught:
            client.read_byte(A)
        assert caught.value.errno == errno.ENODEV
