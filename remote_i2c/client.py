"""A bus of a client of the link, by requests on its channel 1. The client runs an I2CService (pb_link/i2c_service.py).

A request is carried out at most once. One life of a client has it once (docs/requests.md); it names the life of the
service, and one that comes to another life is refused there. It is asked again only if the life of the client before
cannot have had it. Requests of a client are carried out one at a time and in order, so one that has timed out here has
ended there before the next one begins.
"""

import asyncio
from errno import EHOSTDOWN, EIO, ENODEV

from protocol.errors import LinkDown, RequestFailed, RequestTimeout, StoreError
from protocol.i2c_messages import HEAD_BYTES, I2C_CHANNEL, MAX_I2C_BYTES, MAX_TRANSFER_BYTES
from protocol.request_reasons import INTERRUPTED, NO_HANDLER, RESTARTED
from remote_i2c.bus import SMBUS_BY_MESSAGES, SMBUS_COUNTED, SMBUS_QUICK, TRANSFER_MS, Bus
from remote_i2c.client_messages import (
    NO_LIFE,
    OtherLife,
    answer_bytes,
    decode_answer,
    encode_request,
    request_bytes,
)  # fmt: skip
from remote_i2c.errors import CALLER, LINK, BusError, away, timed_out
from remote_i2c.messages import check_address

# A client's service that tells a new life for each request is given up after so many.
_LIVES = 3


class ClientBus(Bus):
    """Args: connection: the client's Connection (server/core/connection.py); number: of its bus, as its I2CService has
    it; name: of the bus, for people. It need not be connected yet."""

    functions = SMBUS_BY_MESSAGES | SMBUS_QUICK | SMBUS_COUNTED
    max_bytes = MAX_TRANSFER_BYTES

    def __init__(self, connection, number, name=None):
        self.name = name or f"client:{connection.client_id}:{number}"
        self._connection = connection
        self._number = number
        self._channel = connection.channel(I2C_CHANNEL, 1)
        self._life = NO_LIFE  # of its service
        self._lives = None  # of the client, when that was learned

    async def transfer(self, transfer, timeout_ms=TRANSFER_MS):
        """As Bus.transfer."""
        self.check(transfer)
        return (await self._carried_out([transfer], timeout_ms))[0]

    async def batch(self, transfers, timeout_ms=TRANSFER_MS):
        """As Bus.batch. As many as fit share a request, and so a round trip; each of these has `timeout_ms`."""
        for transfer in transfers:
            self.check(transfer)
        done = []
        for some in _shared_out(transfers):
            try:
                done += await self._carried_out(some, timeout_ms)
            except BusError as error:
                error.done = done + list(error.done)
                raise
        return done

    async def quick(self, address, read, timeout_ms=TRANSFER_MS):
        """As Bus.quick."""
        check_address(address)
        await self._carried_out([(address, bool(read))], timeout_ms)

    async def _carried_out(self, transfers, timeout_ms):
        """Returns the answers to transfers that fit into one request. Raises: BusError."""
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                answers, error = await self._asked(transfers, timeout_ms)
        except TimeoutError:
            raise self._late(timeout_ms).at(self.name)
        except BusError as found:
            raise found.at(self.name)
        if error is not None:
            error.done = answers
            raise error.at(self.name)
        return answers

    async def _asked(self, transfers, timeout_ms):
        """Returns (answers, error), as decode_answer. Raises: BusError."""
        for _ in range(_LIVES):
            lives = self._connection.lives
            if lives != self._lives:
                self._life = NO_LIFE  # nobody carries this out
            sure = self._life == NO_LIFE
            try:
                return await self._ask(transfers, timeout_ms)
            except OtherLife as other:
                self._life, self._lives = other.life, self._connection.lives
                if not sure and self._lives != lives:
                    raise self._restarted("the client was restarted")
        raise BusError(EIO, "the client's I2CService is started anew again and again", place=LINK)

    async def _ask(self, transfers, timeout_ms):
        request = encode_request(self._number, self._life, transfers)
        try:
            answer = await self._channel.request(request, timeout_ms, wait=False)
        except LinkDown:
            if not self._connection.status():
                raise away(self._connection.client_id)
            if self._connection.is_elsewhere():
                raise self._elsewhere()
            raise self._without_service()
        except RequestTimeout:
            raise self._late(timeout_ms)
        except RequestFailed as failed:
            raise self._failed(failed)
        except (StoreError, ValueError) as error:  # ValueError: the client takes only shorter messages
            raise BusError(EIO, str(error), place=LINK)
        return decode_answer(answer, transfers)

    def _late(self, timeout_ms):
        if not self._connection.status():
            return away(self._connection.client_id)
        return timed_out(LINK, f"the client {self._connection.client_id} has not answered within {timeout_ms} ms")

    def _elsewhere(self):
        text = f"the client {self._connection.client_id} is connected to another server: use its bus there"
        return BusError(EHOSTDOWN, text, place=LINK)

    def _without_service(self):
        return BusError(ENODEV, f"the client {self._connection.client_id} runs no I2CService", place=CALLER)

    def _failed(self, failed):
        if failed.reason == NO_HANDLER:
            return self._without_service()
        if failed.reason in (INTERRUPTED, RESTARTED):
            return self._restarted(str(failed))
        return BusError(EIO, str(failed), place=LINK)

    def _restarted(self, text):
        return BusError(EHOSTDOWN, f"{text}: the call may have been carried out", place=LINK)


def _shared_out(transfers):
    """Yields lists of transfers of which each list fits into a request, and its answer into a message."""
    some, asked, answered = [], HEAD_BYTES, 0
    for transfer in transfers:
        asks, answers = request_bytes(transfer), answer_bytes(transfer)
        if some and (asked + asks > MAX_I2C_BYTES or answered + answers > MAX_I2C_BYTES):
            yield some
            some, asked, answered = [], HEAD_BYTES, 0
        some.append(transfer)
        asked += asks
        answered += answers
    if some:
        yield some
