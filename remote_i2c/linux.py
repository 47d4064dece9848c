"""A bus of Linux, /dev/i2c-N, over smbus2: the extra `linux`.

A thread of its own does the transfers, because the kernel's calls block. One that has timed out keeps the thread until
the kernel ends it; the next call waits for that within its own limit. So two are never on the bus at once.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from errno import (
    EACCES,
    EAGAIN,
    EBADMSG,
    EBUSY,
    EINVAL,
    EIO,
    ENODEV,
    ENOENT,
    ENXIO,
    EOPNOTSUPP,
    EPERM,
    EPROTO,
    EREMOTEIO,
    ESHUTDOWN,
    ETIMEDOUT,
)  # fmt: skip

from smbus2 import SMBus, i2c_msg

from remote_i2c.bus import I2C, SMBUS_QUICK, TRANSFER_MS, Bus
from remote_i2c.errors import BUS, CALLER, BusError, closed, no_answer, stopped, timed_out
from remote_i2c.messages import MAX_BLOCK

# The target tells how many bytes it sends. Source: the kernel's include/uapi/linux/i2c.h; what the first byte of the
# buffer and its length must be: drivers/i2c/i2c-dev.c, i2cdev_ioctl_rdwr.
_RECV_LEN = 0x0400
_DRIVER = "/sys/bus/i2c/devices/%d-%04x/driver"
# How long `close` waits for a call that the kernel has not ended. The file is closed when it has.
CLOSE_MS = 3000

# What the kernel's errors mean here. Source: the kernel's Documentation/i2c/fault-codes.rst. EREMOTEIO is what many
# drivers (the Raspberry Pi's) have for every missing acknowledgement; most often it is that of the address.
_NO_ANSWER = (ENXIO, EREMOTEIO)
_HELD = (EAGAIN, EBUSY, ETIMEDOUT)  # arbitration lost with no other controller, or never free: a wire is held
_CANNOT = (EOPNOTSUPP, EINVAL)
_DAMAGED = (EIO, EBADMSG, EPROTO)
_GONE = (ENODEV, ESHUTDOWN)  # an adapter at USB was pulled


class LinuxBus(Bus):
    """Args: number: N of /dev/i2c-N; name: of the bus, for people. force: also use devices that a driver of the kernel
    has. When its adapter is gone (ENODEV), `open` opens that which has its place."""

    force = False

    def __init__(self, number, name=None):
        self.path = f"/dev/i2c-{number}"
        self.name = name or self.path
        self._number = number
        self._bus = None
        self._thread = None

    async def open(self):
        """As Bus.open. Raises: BusError: ENODEV, EACCES, EOPNOTSUPP: the adapter has only SMBus."""
        if self._bus is not None:
            return
        self._bus = self._opened()
        self.functions = self._bus.funcs
        self._thread = ThreadPoolExecutor(1, f"i2c-{self._number}")

    def _opened(self):
        path = self.path
        try:
            bus = SMBus(path)
        except OSError as error:
            if error.errno == ENOENT:
                raise self._refused(ENODEV, f"there is no {path}: enable I2C, and load the kernel's module i2c-dev")
            if error.errno in (EACCES, EPERM):
                raise self._refused(EACCES, f"{path} must not be opened: add the user to its group, often i2c")
            raise self._refused(error.errno, f"{path} cannot be opened: {error.strerror}")
        if not bus.funcs & I2C:
            bus.close()
            raise self._refused(EOPNOTSUPP, f"{path}: its adapter has only SMBus, which cannot carry messages")
        return bus

    def _refused(self, number, text):
        return BusError(number, text, place=CALLER, bus=self.name)

    async def close(self):
        """As Bus.close. A call that the kernel has not ended after CLOSE_MS is left to end by itself."""
        last = self._leave()
        if last is not None:
            await asyncio.wait([asyncio.wrap_future(last)], timeout=CLOSE_MS / 1000)

    def _leave(self):
        """Let the thread close the file behind its last call. Returns the future of that, or None: it is not open."""
        bus, self._bus = self._bus, None
        if bus is None:
            return None
        last = self._thread.submit(bus.close)
        self._thread.shutdown(wait=False)
        return last

    async def transfer(self, transfer, timeout_ms=TRANSFER_MS):
        """As Bus.transfer. `index` of an error is None: the kernel does not tell it."""
        self.check(transfer)
        for message in transfer:
            self._look_for_driver(message.address)
        messages = [_message_of(one) for one in transfer]
        await self._call(transfer[0].address, messages, timeout_ms)
        return [_read_by(one, message) for one, message in zip(transfer, messages, strict=True) if one.reads]

    async def quick(self, address, read, timeout_ms=TRANSFER_MS):
        """As Bus.quick. Raises: BusError(EOPNOTSUPP): the adapter cannot send an address alone."""
        if not self.functions & SMBUS_QUICK:
            raise BusError(EOPNOTSUPP, f"{self.path}: its adapter cannot send an address alone", place=CALLER)
        self._look_for_driver(address)
        await self._call(address, [i2c_msg.read(address, 0) if read else i2c_msg.write(address, b"")], timeout_ms)

    def _look_for_driver(self, address):
        """Raises: BusError(EBUSY), as the kernel does for SMBus calls; I2C_RDWR does not look."""
        if not self.force and os.path.exists(_DRIVER % (self._number, address)):
            raise BusError(EBUSY, "a driver of the kernel has this device", place=CALLER, address=address)

    async def _call(self, address, messages, timeout_ms):
        bus = self._bus
        if bus is None:
            raise closed().at(self.name)
        call = self._thread.submit(bus.i2c_rdwr, *messages)
        try:
            # Cancelled, or out of time: one that has not begun never does; one that has goes on in its thread.
            async with asyncio.timeout(timeout_ms / 1000):
                await asyncio.wrap_future(call)
        except TimeoutError:
            if call.cancelled():
                raise timed_out(BUS, "the adapter has not ended an earlier call", address).at(self.name)
            raise timed_out(BUS, f"the adapter has not ended the call within {timeout_ms} ms", address).at(self.name)
        except OSError as error:
            if error.errno in _GONE and bus is self._bus:
                self._leave()
            raise _translated(error, address, len(messages)).at(self.name)


def _message_of(message):
    if message.data is not None:
        return i2c_msg.write(message.address, message.data)
    made = i2c_msg.read(message.address, message.most)
    if message.counted:
        made.flags |= _RECV_LEN
        made.buf[0] = bytes((1 + message.size,))
    return made


def _read_by(message, made):
    data = bytes(made)
    if not message.counted:
        return data
    return data[: 1 + min(data[0], MAX_BLOCK) + message.size]


def _translated(error, address, count):
    """Returns the BusError of a kernel's error."""
    number = error.errno
    if number in _NO_ANSWER:
        return no_answer(address, 0 if count == 1 else None)
    if number in _HELD:
        return timed_out(BUS, "a wire of the bus is held, or the device stretches the clock for too long", address)
    if number in _CANNOT:
        return BusError(EOPNOTSUPP, "the adapter cannot do this transfer", place=CALLER, address=address)
    if number in _DAMAGED:
        return stopped(address)
    if number in _GONE:
        return BusError(ENODEV, "the adapter is gone", address=address)
    return BusError(EIO, f"the adapter failed: {error.strerror}", address=address)


