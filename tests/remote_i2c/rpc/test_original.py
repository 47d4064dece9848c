"""The service SmbusRcp, called as a client of smbus-proxy calls it."""

import asyncio

import pytest

from remote_i2c.rpc.methods import ORIGINAL, methods
from tests.remote_i2c.rpc.bed import A, run

MESSAGES = {name: method.request for name, method in methods(ORIGINAL).items()}


class Client:
    """As its ProxyClient: opens, takes its id out of the trailing metadata, and sends it with each call."""

    def __init__(self, one):
        self._rows = one.original
        self.metadata = ()

    async def open(self, bus):
        call = self._rows["open"](MESSAGES["open"](i2c_bus=bus))
        status = await call
        self.metadata = tuple((key, value) for key, value in await call.trailing_metadata() if key == "client_id")
        return status

    async def call(self, name, **fields):
        return await self._rows[name](MESSAGES[name](**fields), metadata=self.metadata)


def use(calls, **settings):
    """Open bus 1, and make the calls: [(name, fields)]. Returns (answers, bed)."""

    async def scenario(one):
        client = Client(one)
        await client.open(1)
        return [await client.call(name, **fields) for name, fields in calls], one

    return run(scenario, **settings)


def test_the_eight_calls_and_those_of_the_session():
    answers, one = use(
        [
            ("write_byte", {"i2c_addr": A, "value": 3}),
            ("read_byte", {"i2c_addr": A}),
            ("write_byte_data", {"i2c_addr": A, "register": 5, "value": 0xAB}),
            ("read_byte_data", {"i2c_addr": A, "register": 5}),
            ("write_word_data", {"i2c_addr": A, "register": 6, "value": 0x1234}),
            ("read_word_data", {"i2c_addr": A, "register": 6}),
            ("write_i2c_block_data", {"i2c_addr": A, "register": 8, "data": b"abc"}),
            ("read_i2c_block_data", {"i2c_addr": A, "register": 8, "length": 3}),
            ("ping", {"info": "request"}),
            ("close", {}),
        ]
    )
    assert [answer.data for answer in answers[1:8:2]] == [3, 0xAB, 0x1234, b"abc"]
    assert answers[7].length == 3
    assert all(answer.status.code == 0 for answer in answers[1:8:2])
    assert all(answer.code == 0 for answer in [*answers[:8:2], *answers[8:]])
    assert len(one.door.service.sessions) == 0


def test_block_without_a_length_has_32_bytes():
    answers, _ = use([("read_i2c_block_data", {"i2c_addr": A, "register": 1})])
    assert answers[0].data == bytes(range(1, 33)) and answers[0].length == 32


@pytest.mark.parametrize(
    ("name", "fields", "text"),
    [
        ("read_byte", {"i2c_addr": 0x49}, "no device acknowledged"),
        ("read_byte", {"i2c_addr": -1}, "address -1 is negative"),
        ("read_word_data", {"i2c_addr": A, "register": 256}, "register 256"),
        ("read_i2c_block_data", {"i2c_addr": A, "length": 33}, "not 33"),
        ("read_i2c_block_data", {"i2c_addr": A, "length": -1}, "length -1 is negative"),
    ],
)
def test_read_that_fails_has_a_status_with_the_text(name, fields, text):
    answers, _ = use([(name, fields)])
    assert answers[0].status.code == 1
    assert answers[0].status.exception.startswith("proxy server: ") and text in answers[0].status.exception


@pytest.mark.parametrize(
    ("name", "fields", "text"),
    [
        ("write_byte", {"i2c_addr": 0x49, "value": 1}, "no device acknowledged"),
        ("write_byte", {"i2c_addr": A, "value": -1}, "value -1 is negative"),
        ("write_i2c_block_data", {"i2c_addr": A, "data": bytes(33)}, "not 33"),
    ],
)
def test_write_that_fails_is_the_status(name, fields, text):
    answers, _ = use([(name, fields)])
    assert answers[0].code == 1 and text in answers[0].exception


def test_address_that_is_not_allowed_is_not_reached():
    answers, one = use([("read_byte", {"i2c_addr": A})], addresses={0x50})
    assert answers[0].status.code == 1 and one.bus.log == []


def test_client_that_is_not_known_is_told():
    async def scenario(one):
        client = Client(one)
        before = await client.call("ping")
        status = await client.open(7)
        await client.open(1)
        await client.call("close")
        return before, status, await client.call("read_byte", i2c_addr=A)

    before, status, after = run(scenario)
    assert "session is unknown" in before.exception
    assert status.code == 1 and "no bus '7'" in status.exception
    assert after.status.code == 1


def test_client_that_pings_is_kept_and_one_that_does_not_is_deleted():
    async def scenario(one):
        kept, left = Client(one), Client(one)
        await kept.open(1)
        await left.open(1)
        while not any("No activity" in line for line in one.lines):
            assert (await kept.call("ping", info="request")).code == 0
            await asyncio.sleep(0.01)
        gone = [line for line in one.lines if "No activity" in line]
        return gone, left.metadata[0][1]

    gone, left = run(scenario, expiry_s=2)
    assert len(gone) == 1 and left in gone[0]
