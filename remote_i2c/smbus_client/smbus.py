"""SMBus: what programs use in place of smbus2's, with the same calls, for a bus that is elsewhere.

A call opens the bus again after an outage; recovery.py says which calls are repeated. A thread keeps the session while
nothing is called. Several threads may call.
"""

import threading
import time
import weakref
from errno import ENODEV

import grpc

from remote_i2c.errors import CALLER, BusError
from remote_i2c.rpc.methods import SMBUS, callers
from remote_i2c.rpc.smbus_pb2 import OpenRequest, SessionRequest
from remote_i2c.rpc.status import error_of
from remote_i2c.smbus_client.batch import Batch
from remote_i2c.smbus_client.calls import Calls
from remote_i2c.smbus_client.messages import I2cFunc
from remote_i2c.smbus_client.recovery import RETRY_S, TIMEOUT_S, Recovery
from remote_i2c.smbus_client.target import target_of

# Parts of the session's expiry after which something is called.
PINGS = 3
# How long the end of a session waits for the server.
CLOSE_S = 1.0


class SMBus(Calls):
    """Args: bus: 1, "/dev/i2c-1" or "grpc://HOST:PORT/1", see target.py; None: `open` follows; force: of no effect;
    token, ca: see target.py; timeout_s, retry_s: see recovery.py.

    funcs: I2cFunc, what the bus can do; address: what smbus2 has under this name, always None.
    Raises: OSError: no server, no such bus; TypeError, ValueError: what cannot be meant."""

    address = None

    def __init__(self, bus=None, force=False, *, token=None, ca=None, timeout_s=TIMEOUT_S, retry_s=RETRY_S):
        self.funcs = I2cFunc(0)
        self.force = force
        self._given = (token, ca)
        self._timeout_s = timeout_s
        self._retry_s = retry_s
        self._pec = 0
        self._connection = None
        self._finalizer = None
        if bus is not None:
            self.open(bus)

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc_val, exc_tb):
        self.close()

    def open(self, bus):
        """Open a bus, in place of the one that is open."""
        target = target_of(bus, *self._given)
        self.close()
        connection = _Connection(target)
        try:
            reply = connection.open(self._timeout_s, False)
        except grpc.RpcError as error:
            connection.close()
            raise error_of(error)
        self.funcs = I2cFunc(reply.functions)
        self._connection = connection
        connection.keep(reply.expiry_ms / 1000 / PINGS)
        self._finalizer = weakref.finalize(self, connection.close)  # also when the program ends

    def close(self):
        """Close the bus, if it is open."""
        connection, self._connection = self._connection, None
        self._pec = 0
        if connection is not None:
            self._finalizer.detach()
            connection.close()

    @property
    def fd(self):
        """None while it is closed; a file descriptor there is none."""
        return None if self._connection is None else -1

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

    def _do(self, call):
        connection = self._connection
        if connection is None:
            raise not_open()
        recovery, limit_s = None, self._timeout_s
        begin_s = time.monotonic()
        while True:
            session = connection.session
            try:
                if session is None:
                    session = self._open_again(connection)
                return call.result(connection.call(call, session, limit_s))
            except grpc.RpcError as error:
                recovery = recovery or Recovery(call.repeatable, begin_s, self._retry_s, self._timeout_s)
                pause_s = recovery.after(error, time.monotonic())
            connection.forget(session)
            time.sleep(pause_s)
            limit_s = recovery.limit_s(time.monotonic())

    def _open_again(self, connection):
        """To open is no call of the bus: it may be repeated, whatever the call is."""
        with connection.opening:
            if connection.session is None:
                opening = Recovery(True, time.monotonic(), self._retry_s, self._timeout_s)
                while connection.session is None:
                    try:
                        connection.open(opening.limit_s(time.monotonic()), True)
                    except grpc.RpcError as error:
                        time.sleep(opening.after(error, time.monotonic()))
            return connection.session


def not_open():
    """Returns the error of a call of a bus that is closed."""
    return BusError(ENODEV, "the bus is not open", place=CALLER)


class _Connection:
    """A channel and a session on it. It does not know the SMBus, so that one that nobody has any longer is closed."""

    def __init__(self, target):
        self.session = None
        self.opening = threading.Lock()  # one thread opens the bus again
        self._target = target
        self._metadata = target.metadata or None
        self._channel = target.channel(grpc)
        self._callers = callers(self._channel, SMBUS)
        self._ended = threading.Event()
        self._called = False  # since the last look of `_keep`

    def open(self, limit_s, wait):
        """Returns the OpenReply. wait: for a server that is not there. Raises: grpc.RpcError."""
        reply = self._call("Open", OpenRequest(bus=self._target.bus), limit_s, wait)
        self.session = reply.session
        return reply

    def call(self, call, session, limit_s):
        """Returns the reply. Raises: grpc.RpcError."""
        call.request.session = session
        reply = self._call(call.name, call.request, limit_s, True)
        self._called = True
        return reply

    def forget(self, session):
        """The server may not know this session."""
        if self.session == session:
            self.session = None

    def keep(self, every_s):
        """Keep the session, in a thread of its own, until `close`."""
        threading.Thread(target=self._keep, args=(every_s,), name="pb_link.smbus", daemon=True).start()

    def close(self):
        """End the session. It may be called several times."""
        if self._ended.is_set():
            return
        self._ended.set()
        session, self.session = self.session, None
        if session is not None:
            try:
                self._call("Close", SessionRequest(session=session), CLOSE_S, False)
            except grpc.RpcError:
                pass  # the server is away, or does not know it: the session has ended all the same
        self._channel.close()

    def _call(self, name, request, limit_s, wait):
        try:
            return self._callers[name](request, limit_s, self._metadata, wait_for_ready=wait)
        except ValueError:
            if not self._ended.is_set():
                raise
            raise not_open() from None  # another thread has closed the channel

    def _keep(self, every_s):
        while not self._ended.wait(every_s):
            session = self.session
            if session is None or self._called:
                self._called = False
                continue
            try:
                self._call("Ping", SessionRequest(session=session), every_s, False)
            except grpc.RpcError:
                pass  # the next call finds out, and opens the bus again
            except BusError:  # it was closed meanwhile
                return
