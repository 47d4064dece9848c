"""What both services are made of: sessions on buses, and calls by sessions. It knows nothing of gRPC but messages."""

import asyncio
from errno import EACCES, ENODEV

from remote_i2c.errors import CALLER, BusError
from remote_i2c.messages import MAX_BYTES
from remote_i2c.rpc.calls import KINDS, answer_bytes, do, do_all, planned, planned_transfer
from remote_i2c.rpc.log_lines import CALL, CLOSED, EXPIRED, OPENED, REFUSED, SESSION
from remote_i2c.rpc.smbus_pb2 import BatchReply, StepReply

# Steps of a batch, and the bytes that they may read: the bus is another's again after HOLD_MS of shared.py.
MAX_STEPS = 256
MAX_BATCH_BYTES = 32 * 1024
# Messages of a transfer that its line of the log shows.
MAX_SHOWN = 8


class Buses:
    """Buses and their sessions. Args: buses: {name: SharedBus}; sessions: Sessions; log: function (event, **details),
    see log_lines.py, or None.

    calls: so far; refused: of calls and sessions, those that may not be or are too many."""

    def __init__(self, buses, sessions, log=None):
        self.sessions = sessions
        self.calls = self.refused = 0
        self._buses = {str(name): bus for name, bus in buses.items()}
        self._log = log
        self._now_s = asyncio.get_running_loop().time

    async def open(self, name, peer):
        """Returns a new Session. Raises: BusError: ENODEV: there is no such bus, or no adapter; EAGAIN: too many
        sessions; what SharedBus.open raises."""
        try:
            bus = self._buses.get(name)
            if bus is None:
                there = ", ".join(self._buses) or "none"
                raise BusError(ENODEV, f"there is no bus {name[:40]!r}: there are {there}", place=CALLER)
            await bus.open()  # what it can do is known then
            session = self.sessions.open(bus, peer, self._now_s())
        except BusError as error:
            self.refuse(reason=error.strerror, bus=name[:40], peer=peer)
            raise
        self.log(SESSION, what=OPENED, session=session.id, bus=name, peer=peer)
        return session

    def use(self, session_id):
        """Returns the Session. Raises: BusError(ESTALE)."""
        return self.sessions.use(session_id, self._now_s())

    def close(self, session_id):
        """End a session; there may be none."""
        if self.sessions.close(session_id) is not None:
            self.log(SESSION, what=CLOSED, session=session_id)

    def expire(self):
        """End sessions that nobody uses."""
        for session in self.sessions.expire(self._now_s()):
            self.log(SESSION, what=EXPIRED, session=session.id, after_s=self.sessions.expiry_s)

    async def call(self, session_id, name, request):
        """Do a call of SMBus. name: as in smbus.proto. Returns the Reply. Raises: BusError, ValueError, TypeError."""
        kind = KINDS[name]
        with self._called(session_id) as session:
            self._log_call(session, kind, request)
            return await do(session.bus, planned(session.bus.functions, kind, request))

    async def transfer(self, session_id, request):
        """Do a TransferRequest. Returns the TransferReply. Raises: as call."""
        with self._called(session_id) as session:
            self._log_transfer(session, request)
            return await do(session.bus, planned_transfer(request))

    async def batch(self, request):
        """Do a BatchRequest. Returns the BatchReply. Raises: as call; a BusError has the number of its step: `step`."""
        with self._called(request.session) as session:
            _check_batch(request.steps)
            plans = [self._planned(session, number, step) for number, step in enumerate(request.steps)]
            async with session.bus.hold() as bus:
                replies = await do_all(bus, plans)
            return BatchReply(replies=[_step_reply(step, reply) for step, reply in zip(request.steps, replies)])

    def _called(self, session_id):
        return _Called(self, self.use(session_id))

    def _planned(self, session, number, step):
        try:
            if step.call == "Transfer":
                self._log_transfer(session, step.transfer)
                return planned_transfer(step.transfer)
            kind = KINDS[step.call]
            self._log_call(session, kind, step.request)
            return planned(session.bus.functions, kind, step.request)
        except BusError as error:
            error.step = number
            raise
        except (TypeError, ValueError) as error:
            raise ValueError(f"step {number}: {error}")

    def log(self, event, **details):
        """Log an event."""
        if self._log is not None:
            self._log(event, **details)

    def refuse(self, **details):
        """Count what may not be, and log it."""
        self.refused += 1
        self.log(REFUSED, **details)

    def _log_transfer(self, session, request):
        """Log a transfer: its addresses, and what is done with them."""
        if self._log is not None:
            parts = [
                f"{'read' if message.read else 'write'} {message.length if message.read else len(message.data)} at "
                f"{message.address:#x}"
                for message in request.messages[:MAX_SHOWN]
            ]
            if len(request.messages) > MAX_SHOWN:
                parts.append(f"and {len(request.messages) - MAX_SHOWN} more")
            self._log(CALL, session=session.id, call="i2c_rdwr", messages=", ".join(parts))

    def _log_call(self, session, kind, request):
        if self._log is not None:
            # Calls without a register have none in their name either.
            register = {"register": hex(request.register)} if "_data" in kind.name or "call" in kind.name else {}
            self._log(CALL, session=session.id, call=kind.name, address=hex(request.address), **register)


class _Called:
    """A call of a session is under way in this block."""

    def __init__(self, buses, session):
        self._buses = buses
        self._session = session

    def __enter__(self):
        self._buses.calls += 1
        try:
            return self._session.__enter__()
        except BusError as error:
            self._buses.refuse(reason=error.strerror, session=self._session.id)
            raise

    def __exit__(self, kind, error, traceback):
        session, buses = self._session, self._buses
        session.__exit__()
        session.last_s = buses._now_s()
        if kind is BusError and error.errno == EACCES:
            buses.refuse(reason=error.strerror, session=session.id, bus=session.bus.name, address=hex(error.address))


def _step_reply(step, reply):
    return StepReply(transfer=reply) if step.call == "Transfer" else StepReply(reply=reply)


def _check_batch(steps):
    """Raises: ValueError: these are no steps that can all be done."""
    if not 1 <= len(steps) <= MAX_STEPS:
        raise ValueError(f"a batch has 1 to {MAX_STEPS} steps, not {len(steps)}")
    for number, step in enumerate(steps):
        if step.call != "Transfer" and step.call not in KINDS:
            raise ValueError(f"step {number}: {step.call[:40]!r} is no call: {', '.join(KINDS)} and Transfer are")
    size = sum(answer_bytes(step.transfer) for step in steps)
    if size > MAX_BATCH_BYTES:
        raise ValueError(f"the steps of the batch read {size} bytes: at most {MAX_BATCH_BYTES}, or {MAX_BYTES} each")
