"""A batch: several calls in one round trip."""

import errno

import pytest

from remote_i2c.smbus_client.batch import Batch
from remote_i2c.smbus_client.messages import i2c_msg
from remote_i2c.smbus_client.smbus import SMBus
from tests.remote_i2c.doors import A, open_door


def test_results_come_in_the_order_of_the_calls():
    message = i2c_msg.read(A, 2)
    with open_door() as door, SMBus(door.url) as bus:
        batch = bus.batch()
        assert [
            batch.write_byte_data(A, 5, 9), batch.read_byte_data(A, 5), batch.i2c_rdwr(i2c_msg.write(A, [6]), message),
            batch.read_i2c_block_data(A, 1, 3),
        ] == [0, 1, 2, 3] and len(batch) == 4  # fmt: skip
        assert batch.run() == [None, 9, None, [1, 2, 3]]
        assert list(message) == [6, 7]
        begins = [transfer for what, transfer in door.bus.log if what == "begin"]
        assert len(begins) == 4 and len(batch) == 0


def test_call_that_fails_is_told_by_its_number():
    with open_door() as door, SMBus(door.url) as bus:
        batch = bus.batch()
        for address in (A, 0x49, A):
            batch.read_byte(address)
        with pytest.raises(OSError) as caught:
            batch.run()
        assert (caught.value.errno, caught.value.step) == (errno.ENXIO, 1)


def test_batch_may_be_repeated_if_all_of_it_may():
    made = []
    batch = Batch(made.append, 0)
    batch.read_byte_data(A, 1)
    batch.run()
    batch.read_byte_data(A, 1)
    batch.write_byte(A, 1)
    batch.run()
    assert [call.repeatable for call in made] == [True, False]


def test_pec_is_that_of_the_bus_when_it_was_begun():
    made = []
    batch = Batch(made.append, 1)
    batch.read_byte_data(A, 1)
    batch.run()
    assert made[0].request.steps[0].request.pec
