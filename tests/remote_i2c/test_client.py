"""A client's bus, with a Connection that answers what a test wants. The whole path: tests/link/test_remote_i2c.py."""

import asyncio
from errno import EAGAIN, EHOSTDOWN, EIO, ENODEV, ETIMEDOUT

import pytest

from protocol.errors import LinkDown, RequestFailed, RequestTimeout, StoreError
from protocol.i2c_messages import MAX_I2C_BYTES, MAX_TRANSFER_BYTES, NO_MEMORY, OTHER_LIFE
from protocol.request_reasons import INTERRUPTED, NO_HANDLER, RAISED, RESTARTED
from remote_i2c.client import ClientBus
from remote_i2c.errors import CALLER, LINK, BusError
from remote_i2c.messages import read, write


def request_failed(reason, text):
    """Returns a RequestFailed as the server raises it."""
    error = RequestFailed(text)
    error.reason = reason
    return error


LIFE, NEXT = b"aaaa", b"bbbb"
ONE = [write(0x48, b"\x05"), read(0x48, 2)]


class FakeConnection:
    """Answers of its service: `answers`, each bytes, an exception, or a function (request) that returns one of these.
    Without one it is a service of life `life` that answers zeros."""

    client_id = "pump"

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.up = True
        self.elsewhere = False
        self.lives = 1
        self.life = LIFE

    def status(self):
        return self.up

    def is_elsewhere(self):
        return self.elsewhere

    def channel(self, number, start):
        assert (number, start) == (1, 1)
        return self

    async def request(self, data, timeout_ms, wait):
        assert wait is False
        self.requests.append(data)
        answer = self.answers.pop(0) if self.answers else self._zeros
        if callable(answer):
            answer = answer(data)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _zeros(self, data):
        if data[2:6] != self.life:
            return bytes((OTHER_LIFE,)) + self.life
        answer, at = b"", 6
        while at < len(data):
            answer, messages, at = answer + b"\0", data[at], at + 1
            for _ in range(messages):
                length = data[at + 1] << 8 | data[at + 2]
                answer += bytes(length if data[at] & 1 else 0)
                at += 3 + (0 if data[at] & 1 else length)
        return answer


def run(connection, call):
    bus = ClientBus(connection, 0)
    return asyncio.run(call(bus))


def failing(connection, transfer=ONE):
    with pytest.raises(BusError) as raised:
        run(connection, lambda bus: bus.transfer(transfer))
    return raised.value


def test_the_first_request_learns_the_life_of_the_service():
    connection = FakeConnection()

    async def twice(bus):
        await bus.transfer(ONE)
        return await bus.transfer(ONE)

    assert run(connection, twice) == [b"\0\0"]
    assert [request[2:6] for request in connection.requests] == [b"\0\0\0\0", LIFE, LIFE]


def test_a_service_that_is_started_anew_in_one_life_of_the_client_is_asked_again():
    connection = FakeConnection()

    async def call(bus):
        await bus.transfer(ONE)
        connection.life = NEXT
        return await bus.transfer(ONE)

    assert run(connection, call) == [b"\0\0"]


def test_a_call_during_which_the_client_was_restarted_is_not_repeated():
    connection = FakeConnection()

    def restarted(data):
        connection.lives, connection.life = 2, NEXT
        return bytes((OTHER_LIFE,)) + NEXT

    async def call(bus):
        await bus.transfer(ONE)
        connection.answers.append(restarted)
        count = len(connection.requests)
        with pytest.raises(BusError) as raised:
            await bus.transfer([write(0x48, b"\x05\x06")])
        assert len(connection.requests) == count + 1
        assert (raised.value.errno, raised.value.place) == (EHOSTDOWN, LINK)
        return await bus.transfer(ONE)

    assert run(connection, call) == [b"\0\0"]


def test_a_call_after_a_restart_is_carried_out():
    connection = FakeConnection()

    async def call(bus):
        await bus.transfer(ONE)
        connection.lives, connection.life = 2, NEXT
        return await bus.transfer(ONE)

    assert run(connection, call) == [b"\0\0"]


def test_a_service_with_a_new_life_for_each_request_is_given_up():
    other = [bytes((OTHER_LIFE,)) + bytes((number,)) * 4 for number in range(1, 10)]
    assert failing(FakeConnection(*other)).errno == EIO


def test_client_of_another_server_is_not_said_to_lack_the_service():
    connection = FakeConnection(bytes((OTHER_LIFE,)) + LIFE, LinkDown("connected to another server"))
    connection.elsewhere = True
    error = failing(connection)
    assert (error.errno, error.place) == (EHOSTDOWN, LINK) and "is connected to another server" in str(error)


@pytest.mark.parametrize(
    "answer, up, number, place, told",
    [
        (LinkDown("absent"), False, EHOSTDOWN, LINK, "pump is not connected"),
        (LinkDown("absent"), True, ENODEV, CALLER, "runs no I2CService"),
        (RequestTimeout("late"), True, ETIMEDOUT, LINK, "has not answered within"),
        (RequestTimeout("late"), False, EHOSTDOWN, LINK, "pump is not connected"),
        (request_failed(NO_HANDLER, "channel 1: nobody"), True, ENODEV, CALLER, "I2CService"),
        (request_failed(RESTARTED, "channel 1: a new life"), True, EHOSTDOWN, LINK, "may have been"),
        (request_failed(INTERRUPTED, "channel 1: stopped"), True, EHOSTDOWN, LINK, "may have been"),
        (request_failed(RAISED, "OSError: no handler was restarted"), True, EIO, LINK, "no handler was restarted"),
        (StoreError("disk"), True, EIO, LINK, "disk"),
        (b"", True, EIO, LINK, "damaged"),
        (bytes((NO_MEMORY, 255)), True, EAGAIN, LINK, "no memory"),
    ],
)
def test_failures_have_their_number_and_place(answer, up, number, place, told):
    connection = FakeConnection(bytes((OTHER_LIFE,)) + LIFE, answer)
    connection.up = up
    error = failing(connection)
    assert (error.errno, error.place, error.bus) == (number, place, "client:pump:0") and told in str(error)


def test_a_batch_is_shared_out_over_requests_that_fit():
    connection = FakeConnection()
    transfers = [ONE] * 150 + [[write(0x48, bytes(200))]] * 9 + [[read(0x48, 250)]] * 9
    answers = run(connection, lambda bus: bus.batch(transfers))
    assert answers == [[b"\0\0"]] * 150 + [[]] * 9 + [[bytes(250)]] * 9
    assert all(len(request) <= MAX_I2C_BYTES for request in connection.requests)
    assert len(connection.requests) <= 1 + 3 + 3 + 3


def test_what_is_too_long_is_refused_here():
    connection = FakeConnection()
    for transfer in ([read(0x48, MAX_TRANSFER_BYTES + 1)], [write(0x48, bytes(200)), read(0x48, 57)]):
        with pytest.raises(ValueError, match="at most 256"):
            run(connection, lambda bus, transfer=transfer: bus.transfer(transfer))
    assert connection.requests == []
