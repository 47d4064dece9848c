"""What both services are made of: sessions on buses, and calls by sessions. It knows nothing of gRPC but messages."""

import asyncio
from errno import ENODEV

from remote_i2c.errors import CALLER, BusError
from remote_i2c.messages import MAX_BYTES
from remote_i2c.rpc.calls import KINDS, answer_bytes, do, do_all, planned, planned_transfer
from remote_i2c.rpc.smbus_pb2 import BatchReply, StepReply

# Steps of a batch, and the bytes that they may read: the bus is another's again after HOLD_MS of shared.py.
MAX_STEPS = 256
MAX_BATCH_BYTES = 32 * 1024
# Messages of a transfer that its line of the log shows.
MAX_SHOWN = 8


class Buses:
    """Buses and their sessions. Args: buses: {name: SharedBus}; sessions: Sessions; log: function of a line of text,
    or None."""

    def __init__(self, buses, sessions, log=None):
        self.sessions = sessions
        self._buses = {str(name): bus for name, bus in buses.items()}
        self._log = log
        self._now_s = asyncio.get_running_loop().time

    def open(self, name, peer):
        """Returns a new Session. Raises: BusError: ENODEV: there is no such bus; EAGAIN: too many sessions."""
        bus = self._buses.get(name)
        if bus is None:
            there = ", ".join(self._buses) or "none"
            raise BusError(ENODEV, f"there is no bus {name[:40]!r}: there are {there}", place=CALLER)
        session = self.sessions.open(bus, peer, self._now_s())
        self.log(f"New client({session.id}) requests bus {name}")
        return session

    def use(self, session_id):
        """Returns the Session. Raises: BusError(ESTALE)."""
        return self.sessions.use(session_id, self._now_s())

    def close(self, session_id):
        """End a session; there may be none."""
        if self.sessions.close(session_id) is not None:
            self.log(f"Client({session_id}) closes")

    def expire(self):
        """End sessions that nobody uses."""
        for session in self.sessions.expire(self._now_s()):
            self.log(f"No activity from client {session.id} since {self.sessions.expiry_s:g} sec delete it")

    async def call(self, session_id, name, request):
        """Do a call of SMBus. name: as in smbus.proto. Returns the Reply. Raises: BusError, ValueError, TypeError."""
        kind = KINDS[name]
        with self.use(session_id) as session:
            try:
                if self._log is not None:
                    self._log_call(session, kind, request)
                return await do(session.bus, planned(session.bus.functions, kind, request))
            finally:
                session.last_s = self._now_s()

    async def transfer(self, session_id, request):
        """Do a TransferRequest. Returns the TransferReply. Raises: as call."""
        with self.use(session_id) as session:
            try:
                self.log_transfer(session, request)
                return await do(session.bus, planned_transfer(request))
            finally:
                session.last_s = self._now_s()

    async def batch(self, request):
        """Do a BatchRequest. Returns the BatchReply. Raises: as call; a BusError has the number of its step: `step`."""
        with self.use(request.session) as session:
            _check_batch(request.steps)
            plans = [self._planned(session, number, step) for number, step in enumerate(request.steps)]
            try:
                async with session.bus.hold() as bus:
                    replies = await do_all(bus, plans)
            finally:
                session.last_s = self._now_s()
            return BatchReply(replies=[_step_reply(step, reply) for step, reply in zip(request.steps, replies)])

    def _planned(self, session, number, step):
        try:
            if step.call == "Transfer":
                self.log_transfer(session, step.transfer)
                return planned_transfer(step.transfer)
            kind = KINDS[step.call]
            if self._log is not None:
                self._log_call(session, kind, step.request)
            return planned(session.bus.functions, kind, step.request)
        except BusError as error:
            error.step = number
            raise
        except (TypeError, ValueError) as error:
            raise ValueError(f"step {number}: {error}")

    def log(self, text):
        """Log a line."""
        if self._log is not None:
            self._log(text)

    def log_transfer(self, session, request):
        """Log a transfer: its addresses, and what is done with them."""
        if self._log is not None:
            parts = [
                f"{'read' if message.read else 'write'} {message.length if message.read else len(message.data)} at "
                f"{message.address:#x}"
                for message in request.messages[:MAX_SHOWN]
            ]
            if len(request.messages) > MAX_SHOWN:
                parts.append(f"and {len(request.messages) - MAX_SHOWN} more")
            self._log(f"Client({session.id}) i2c_rdwr {', '.join(parts)}")

    def _log_call(self, session, kind, request):
        # Calls without a register have none in their name either.
        register = f" register {request.register:#x}" if "_data" in kind.name or "call" in kind.name else ""
        self._log(f"Client({session.id}) {kind.name} at {request.address:#x}{register}")


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
