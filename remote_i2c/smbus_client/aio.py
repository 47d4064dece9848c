"""AsyncSMBus: the calls of SMBus as coroutines, for a program with asyncio.

    async with AsyncSMBus("grpc://mast:50051/1") as bus:
        word = await bus.read_word_data(0x48, 0)
"""

import asyncio
from contextlib import suppress
from errno import ECONNABORTED

import grpc

from remote_i2c.errors import CALLER, BusError
from remote_i2c.rpc.methods import SMBUS, callers
from remote_i2c.rpc.smbus_pb2 import OpenRequest, SessionRequest
from remote_i2c.rpc.status import error_of
from remote_i2c.smbus_client.batch import Batch
from remote_i2c.smbus_client.calls import Calls
from remote_i2c.smbus_client.messages import I2cFunc
from remote_i2c.smbus_client.recovery import RETRY_S, TIMEOUT_S, Recovery
from remote_i2c.smbus_client.smbus import CLOSE_S, PINGS, not_open
from remote_i2c.smbus_client.target import target_of


class AsyncSMBus(Calls):
    """Args: as SMBus. It is opened by `async with`, or by `await open()`. A call that is cancelled is cancelled at the
    server too."""

    def __init__(self, bus, force=False, *, token=None, ca=None, timeout_s=TIMEOUT_S, retry_s=RETRY_S):
        self.funcs = I2cFunc(0)
        self.force = force
        self._target = target_of(bus, token, ca)
        self._timeout_s = timeout_s
        self._retry_s = retry_s
        self._pec = 0
        self._channel = None
        self._session = None
        self._opening = asyncio.Lock()
        self._keeper = None
        self._called_s = 0.0

    async def __aenter__(self):
        await self.open()
        return self

    async def __aexit__(self, exc_type, exc_val, exc_tb):
        await self.close()

    async def open(self):
        """Open the bus. Raises: OSError."""
        if self._channel is not None:
            return
        self._channel = self._target.channel(grpc.aio)
        self._callers = callers(self._channel, SMBUS)
        try:
            reply = await self._open(self._timeout_s, False)
        except grpc.RpcError as error:
            await self.close()
            raise error_of(error)
        except BaseException:
            await self.close()
            raise
        self.funcs = I2cFunc(reply.functions)
        self._keeper = asyncio.create_task(self._keep(reply.expiry_ms / 1000 / PINGS))

    async def close(self):
        """Close the bus, if it is open."""
        channel, self._channel = self._channel, None
        session, self._session = self._session, None
        self._pec = 0
        if self._keeper is not None:
            self._keeper.cancel()
            self._keeper = None
        if channel is not None:
            try:
                if session is not None:
                    with suppress(grpc.RpcError, BusError):  # the server is away: the session has ended all the same
                        await self._call("Close", SessionRequest(session=session), CLOSE_S, False)
            finally:
                await channel.close()

    def enable_pec(self, enable=True):
        """Whether calls have a packet error code. Raises: OSError: the bus cannot do it."""
        if not self.funcs & I2cFunc.SMBUS_PEC:
            raise OSError("SMBUS_PEC is not a feature of this bus")
        self._pec = int(enable)

    @property
    def pec(self):
        """1: calls have a packet error code; else 0."""
        return self._pec

    @pec.setter
    def pec(self, enable):
        self.enable_pec(enable)

    def batch(self):
        """Returns a Batch: several calls in one round trip, with the bus held."""
        return Batch(self._do, self._pec)

    async def _do(self, call):
        recovery = Recovery(call.repeatable, _now_s(), self._retry_s, self._timeout_s)
        while True:
            if self._channel is None:
                raise not_open()
            session = self._session
            try:
                if session is None:
                    session = await self._open_again()
                call.request.session = session
                reply = await self._call(call.name, call.request, recovery.limit_s(_now_s()), True)
                self._called_s = _now_s()
                return call.result(reply)
            except grpc.RpcError as error:
                pause_s = recovery.after(error, _now_s())
            if self._session == session:
                self._session = None
            await asyncio.sleep(pause_s)

    async def _open_again(self):
        """To open is no call of the bus: it may be repeated, whatever the call is."""
        async with self._opening:
            opening = Recovery(True, _now_s(), self._retry_s, self._timeout_s)
            while self._session is None:
                try:
                    await self._open(opening.limit_s(_now_s()), True)
                except grpc.RpcError as error:
                    await asyncio.sleep(opening.after(error, _now_s()))
            return self._session

    async def _open(self, limit_s, wait):
        reply = await self._call("Open", OpenRequest(bus=self._target.bus), limit_s, wait)
        self._session = reply.session
        return reply

    async def _call(self, name, request, limit_s, wait):
        channel = self._channel
        try:
            call = self._callers[name](request, timeout=limit_s, metadata=self._target.metadata, wait_for_ready=wait)
        except grpc.aio.UsageError:
            raise not_open() from None  # another task has closed the channel
        try:
            return await call
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling() or self._channel is channel:
                raise
            text = "the bus was closed during the call: it may have been made or not"
            raise BusError(ECONNABORTED, text, place=CALLER) from None
        finally:
            call.cancel()  # of no effect when it has ended; gRPC does not cancel a call that nobody has any longer

    async def _keep(self, every_s):
        while True:
            await asyncio.sleep(every_s)
            session = self._session
            if session is not None and _now_s() - self._called_s >= every_s:
                with suppress(grpc.RpcError):  # the next call finds out, and opens the bus again
                    await self._call("Ping", SessionRequest(session=session), every_s, False)


def _now_s():
    return asyncio.get_running_loop().time()
