"""SMBus: sessions, outages, and what happens to calls in them."""

import asyncio
import errno
import gc
import socket
import threading
import time

import pytest

from remote_i2c.smbus_client.messages import I2cFunc, i2c_msg
from remote_i2c.smbus_client.smbus import SMBus
from tests.patience import PATIENCE_S, until
from tests.remote_i2c.doors import A, DoorThread, open_door


@pytest.fixture
def door():
    with open_door() as one:
        yield one


def sessions(door):
    return door.call(lambda: len(door.service.sessions))


def failing(call):
    """Returns the OSError that it raises."""
    with pytest.raises(OSError) as caught:
        call()
    return caught.value


def test_bus_is_opened_used_and_closed(door):
    with SMBus(door.url) as bus:
        assert bus.funcs == door.bus.functions and isinstance(bus.funcs, I2cFunc) and bus.fd is not None
        assert bus.read_byte_data(A, 5) == 5
        assert sessions(door) == 1
    assert sessions(door) == 0 and bus.fd is None
    assert failing(lambda: bus.read_byte(A)).errno == errno.ENODEV
    bus.close()


def test_bus_can_be_opened_later_and_another_in_its_place(door, monkeypatch):
    monkeypatch.setenv("PB_LINK_SMBUS", door.url.removesuffix("/1"))
    bus = SMBus()
    bus.open(1)
    bus.open("/dev/i2c-1")
    assert sessions(door) == 1 and bus.read_byte_data(A, 7) == 7
    assert failing(lambda: bus.open(7)).errno == errno.ENODEV
    bus.close()


def test_every_call_gives_what_smbus2_gives(door):
    with SMBus(door.url) as bus:
        assert bus.write_quick(A) is None and bus.write_byte(A, 3) is None
        assert bus.read_byte(A) == 3
        assert bus.write_byte_data(A, 5, 0xAB) is None and bus.read_byte_data(A, 5) == 0xAB
        assert bus.write_word_data(A, 5, 0x1234) is None and bus.read_word_data(A, 5) == 0x1234
        assert bus.process_call(A, 5, 0xABCD) == 0xABCD
        assert bus.write_block_data(A, 5, [1, 2]) is None and bus.read_block_data(A, 5) == [1, 2]
        assert bus.block_process_call(A, 5, [9]) == [9]
        assert bus.write_i2c_block_data(A, 5, [7, 8]) is None and bus.read_i2c_block_data(A, 5, 2) == [7, 8]
        message = i2c_msg.read(A, 2)
        assert bus.i2c_rdwr(i2c_msg.write(A, [5]), message) is None and list(message) == [7, 8]


def test_address_that_nobody_has_is_an_oserror_with_its_errno(door):
    with SMBus(door.url) as bus:
        error = failing(lambda: bus.read_byte(0x49))
        assert (error.errno, error.address, error.place) == (errno.ENXIO, 0x49, "bus")
        assert bus.read_byte_data(A, 1) == 1


def test_pec_is_that_of_the_bus(door):
    with SMBus(door.url) as bus:
        assert bus.pec == 0
        bus.pec = True
        assert bus.pec == 1
        assert failing(lambda: bus.read_byte_data(A, 5)).errno == errno.EIO  # this device has none
        bus.enable_pec(False)
        assert bus.read_byte_data(A, 5) == 5
        bus.funcs &= ~I2cFunc.SMBUS_PEC
        assert "not a feature" in str(failing(lambda: bus.enable_pec()))


def test_server_that_is_not_there_is_told_at_once():
    with socket.socket() as none:
        none.bind(("127.0.0.1", 0))
        error = failing(lambda: SMBus(f"grpc://127.0.0.1:{none.getsockname()[1]}/1"))
    assert (error.errno, error.place) == (errno.ECONNABORTED, "link")


def test_session_is_kept_while_nothing_is_called():
    with open_door(expiry_s=2) as door, SMBus(door.url) as bus:
        session = door.service.sessions._sessions[bus._connection.session]
        begin = session.last_s
        until(lambda: session.last_s > begin + 2.5, "pings beyond the expiry")
        assert not any("No activity" in line for line in door.lines)


def test_session_that_has_expired_is_opened_again_for_any_call(door):
    with SMBus(door.url) as bus:
        for call in (lambda: bus.write_byte_data(A, 5, 9), lambda: bus.read_byte_data(A, 5)):
            door.call(door.service.sessions._sessions.clear)
            call()
        assert sessions(door) == 1 and door.bus.devices[A][5] == 9
        written = [transfer for what, transfer in door.bus.log if what == "begin" and transfer[0].data == b"\x05\x09"]
        assert len(written) == 1


def test_bus_is_used_again_when_the_server_returns(door):
    with SMBus(door.url) as bus:
        door.end()
        again = []
        starter = threading.Timer(0.3, lambda: again.append(DoorThread(port=door.port)))
        starter.start()
        try:
            assert bus.read_byte_data(A, 5) == 5  # begun in the outage
            bus.write_byte_data(A, 5, 1)
        finally:
            starter.join()
            again[0].end()


def test_write_into_an_outage_waits_for_the_server_and_is_made_once(door):
    with SMBus(door.url, timeout_s=PATIENCE_S) as bus:
        door.end()
        again = []
        starter = threading.Timer(0.3, lambda: again.append(DoorThread(port=door.port)))
        starter.start()
        try:
            try:
                bus.write_byte_data(A, 5, 1)
            except OSError as error:  # it was on its way when the connection ended: nobody knows
                assert error.errno == errno.ECONNABORTED
                bus.write_byte_data(A, 5, 1)
            starter.join()
            written = [one for what, one in again[0].bus.log if what == "begin" and one[0].data == b"\x05\x01"]
            assert len(written) == 1
        finally:
            starter.join()
            again[0].end()


def test_outage_without_an_end_is_an_error_in_a_bounded_time(door):
    with SMBus(door.url, timeout_s=0.3, retry_s=0.5) as bus:
        door.end()
        for call in (lambda: bus.read_byte_data(A, 5), lambda: bus.write_byte(A, 5)):
            error = failing(call)
            assert error.errno in (errno.ETIMEDOUT, errno.ECONNABORTED) and error.place == "link"


def test_call_under_way_when_the_server_ends_is_told(door, monkeypatch):
    monkeypatch.setattr("remote_i2c.rpc.door.GRACE_S", 0.01)
    door.call(lambda: setattr(door.bus, "gate", asyncio.Event()))
    with SMBus(door.url, retry_s=0) as bus:
        errors = []

        def call():
            try:
                bus.write_byte(A, 1)
            except OSError as error:
                errors.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        until(lambda: door.bus.log, "the call")
        door.end()
        thread.join(PATIENCE_S)
        assert [error.errno in (errno.ECONNABORTED, errno.ETIMEDOUT) for error in errors] == [True]


def test_bus_that_hangs_is_a_timeout(door):
    with SMBus(door.url) as bus:
        door.call(lambda: setattr(door.bus, "gate", asyncio.Event()))
        error = failing(lambda: bus.read_byte_data(A, 5))
        assert (error.errno, error.place) == (errno.ETIMEDOUT, "bus")
        door.call(lambda: setattr(door.bus, "gate", None))
        assert bus.read_byte_data(A, 5) == 5


def test_threads_may_share_a_bus(door):
    results = []
    with SMBus(door.url) as bus:
        door.call(door.service.sessions._sessions.clear)  # all of them find it gone

        def use():
            results.extend(bus.read_byte_data(A, number) for number in range(25))

        threads = [threading.Thread(target=use) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert results.count(24) == 6 and len(results) == 150
        assert sessions(door) == 1


def test_bus_that_nobody_has_any_longer_is_closed(door):
    bus = SMBus(door.url)
    bus.read_byte_data(A, 1)
    del bus
    gc.collect()
    until(lambda: sessions(door) == 0, "the end of the session")


def test_threads_end_with_their_bus(door):
    for _ in range(5):
        SMBus(door.url).close()
    until(lambda: not [one for one in threading.enumerate() if one.name == "pb_link.smbus"], "the end of the threads")


def test_many_buses_one_after_the_other(door):
    begin = time.monotonic()
    for number in range(30):
        with SMBus(door.url) as bus:
            assert bus.read_byte_data(A, number) == number
    assert sessions(door) == 0 and time.monotonic() - begin < PATIENCE_S


def test_tls_and_token(certificate, monkeypatch):
    tls, path = certificate
    with open_door(tls=tls, token="a-token-of-the-tests") as door:
        url = door.url.replace("grpc://", "grpcs://")
        with SMBus(url, token="a-token-of-the-tests", ca=path) as bus:
            assert bus.read_byte_data(A, 5) == 5
            door.call(door.service.sessions._sessions.clear)
            assert bus.read_byte_data(A, 6) == 6
        monkeypatch.setenv("PB_LINK_SMBUS_CA", str(path))
        error = failing(lambda: SMBus(url, token="another-token-of-them"))
        assert (error.errno, error.place) == (errno.EPERM, "caller")
        assert failing(lambda: SMBus(url)).errno == errno.EPERM


def test_server_that_cannot_prove_who_it_is_is_not_believed(certificate):
    with open_door(tls=certificate[0], token="a-token-of-the-tests") as door:
        error = failing(lambda: SMBus(door.url.replace("grpc://", "grpcs://"), token="a-token-of-the-tests"))
        assert (error.errno, error.place) == (errno.ECONNABORTED, "link")
        assert not any("New client" in line for line in door.lines)


@pytest.mark.parametrize("moment", ["before", "during"])
@pytest.mark.parametrize("repeatable", [True, False])
def test_bus_that_another_thread_closes_is_an_oserror_of_its_callers(door, moment, repeatable):
    bus, found = SMBus(door.url), []

    def call():
        try:
            bus.read_byte_data(A, 1) if repeatable else bus.write_byte(A, 1)
        except Exception as error:
            found.append(error)

    if moment == "before":
        bus._connection._ended.set()
        bus._connection._channel.close()  # the rest of `close` follows
        call()
    else:
        door.call(lambda: setattr(door.bus, "gate", asyncio.Event()))
        thread = threading.Thread(target=call)
        thread.start()
        until(lambda: door.call(lambda: door.bus.log), "the call")
        bus.close()
        thread.join(PATIENCE_S)
    (error,) = found
    assert isinstance(error, OSError), error
    assert error.errno == (errno.ENODEV if moment == "before" or repeatable else errno.ECONNABORTED)
