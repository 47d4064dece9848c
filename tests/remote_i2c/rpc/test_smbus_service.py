"""The service pb_link.smbus.v1.SMBus, called as any program can call it."""

import asyncio
import errno

import grpc
import pytest

from remote_i2c.rpc.service import MAX_BATCH_BYTES, MAX_STEPS
from remote_i2c.rpc.smbus_pb2 import (
    BatchRequest,
    Message,
    OpenRequest,
    Request,
    SessionRequest,
    Step,
    TransferRequest,
)
from tests.remote_i2c.rpc.bed import A, failure, run


def test_open_tells_what_the_bus_can_do():
    async def scenario(one):
        return await one.rows["Open"](OpenRequest(bus="1")), one.bus.functions

    reply, functions = run(scenario, expiry_s=2)
    assert (reply.functions, reply.expiry_ms, reply.max_bytes) == (functions, 2000, 8192)


def test_bus_that_is_not_there_is_told_with_those_that_are():
    async def scenario(one):
        return await failure(one.rows["Open"](OpenRequest(bus="7")))

    code, error = run(scenario)
    assert (code.name, error.errno) == ("NOT_FOUND", errno.ENODEV)
    assert "there are 1, mast" in str(error)


@pytest.mark.parametrize(
    ("name", "fields", "value", "data"),
    [
        ("WriteQuick", {}, 0, b""),
        ("ReadQuick", {}, 0, b""),
        ("ReadByte", {}, 0, b""),
        ("ReadByteData", {"register": 5}, 5, b""),
        ("ReadWordData", {"register": 5}, 0x0605, b""),
        ("ProcessCall", {"register": 5, "value": 0x1234}, 0x1234, b""),
        ("ReadBlockData", {"register": 2}, 0, b"\x03\x04"),
        ("BlockProcessCall", {"register": 5, "data": b"ab"}, 0, b"ab"),
        ("ReadI2CBlockData", {"register": 5, "length": 3}, 0, b"\x05\x06\x07"),
    ],
)
def test_call_gives_its_result(name, fields, value, data):
    async def scenario(one):
        return await one.rows[name](Request(session=await one.open(), address=A, **fields))

    reply = run(scenario)
    assert (reply.value, reply.data) == (value, data)


@pytest.mark.parametrize(
    ("name", "fields", "written"),
    [
        ("WriteByteData", {"register": 5, "value": 0xAB}, b"\xab\x06"),
        ("WriteWordData", {"register": 5, "value": 0xABCD}, b"\xcd\xab"),
        ("WriteBlockData", {"register": 5, "data": b"x"}, b"\x01x"),
        ("WriteI2CBlockData", {"register": 5, "data": b"xy"}, b"xy"),
    ],
)
def test_call_writes(name, fields, written):
    async def scenario(one):
        await one.rows[name](Request(session=await one.open(), address=A, **fields))
        return bytes(one.bus.devices[A][5:7])

    assert run(scenario) == written


@pytest.mark.parametrize(
    ("name", "fields", "code", "number"),
    [
        ("ReadByte", {"address": 0x49}, "NOT_FOUND", errno.ENXIO),
        ("ReadByte", {"address": 0x03}, "PERMISSION_DENIED", errno.EACCES),
        ("ReadByte", {"address": 0x80}, "INVALID_ARGUMENT", errno.EINVAL),
        ("ReadByte", {"address": 0xFFFFFFFF}, "INVALID_ARGUMENT", errno.EINVAL),
        ("WriteByte", {"address": A, "value": 256}, "INVALID_ARGUMENT", errno.EINVAL),
        ("WriteQuick", {"address": 0x80}, "PERMISSION_DENIED", errno.EACCES),
        ("ReadI2CBlockData", {"address": A, "length": 33}, "INVALID_ARGUMENT", errno.EINVAL),
        ("WriteI2CBlockData", {"address": A, "data": bytes(33)}, "INVALID_ARGUMENT", errno.EINVAL),
        ("WriteBlockData", {"address": A}, "INVALID_ARGUMENT", errno.EINVAL),
    ],
)
def test_failure_has_its_status_and_errno(name, fields, code, number):
    async def scenario(one):
        session = await one.open()
        result = await failure(one.rows[name](Request(session=session, **fields)))
        await one.rows["Ping"](SessionRequest(session=session))  # the session goes on
        return result

    got_code, error = run(scenario)
    assert (got_code.name, error.errno) == (code, number)


def test_call_that_the_bus_cannot_do_is_told():
    async def scenario(one):
        one.bus.functions &= ~0x8 & ~0x10000  # PEC and quick
        session = await one.open()
        calls = [
            await failure(one.rows["ReadByte"](Request(session=session, address=A, pec=True))),
            await failure(one.rows["WriteQuick"](Request(session=session, address=A))),
        ]
        return [(code.name, str(error)) for code, error in calls], one.bus.log

    told, log = run(scenario)
    assert [code for code, _ in told] == ["UNIMPLEMENTED"] * 2 and log == []
    assert "a PEC" in told[0][1] and "write_quick" in told[1][1]


def test_transfer_answers_each_read():
    async def scenario(one):
        messages = [
            Message(address=A, data=b"\x05"), Message(address=A, read=True, length=2), Message(address=A, data=b"\x10"),
            Message(address=A, read=True, length=1),
        ]  # fmt: skip
        reply = await one.rows["Transfer"](TransferRequest(session=await one.open(), messages=messages))
        return list(reply.answers), [what for what, _ in one.bus.log]

    assert run(scenario) == ([b"\x05\x06", b"\x10"], ["begin", "end"])


def test_message_that_fails_is_told():
    async def scenario(one):
        messages = [Message(address=A, data=b"\x05"), Message(address=0x49, read=True, length=2)]
        return await failure(one.rows["Transfer"](TransferRequest(session=await one.open(), messages=messages)))

    code, error = run(scenario)
    assert (error.errno, error.index, error.address, error.bus) == (errno.ENXIO, 1, 0x49, "fake")


def batch(session, *steps):
    return BatchRequest(session=session, steps=steps)


def step(call, **fields):
    return Step(call=call, request=Request(**fields))


def transfer_step(*messages):
    return Step(call="Transfer", transfer=TransferRequest(messages=messages))


def test_batch_is_done_with_the_bus_held():
    async def scenario(one):
        session, other = await one.open(), await one.open()
        steps = [step("WriteByteData", address=A, register=number, value=7) for number in range(20)]
        steps.append(transfer_step(Message(address=A, read=True, length=1)))
        steps.append(step("ReadByteData", address=A, register=3))
        between = [one.rows["ReadByte"](Request(session=other, address=A)) for _ in range(5)]
        reply = await one.rows["Batch"](batch(session, *steps))
        await asyncio.gather(*between)
        sizes = [len(transfer) for what, transfer in one.bus.log if what == "begin"]
        begin = next(i for i, (_, transfer) in enumerate(one.bus.log) if transfer[0].data == b"\x00\x07")
        inside = one.bus.log[begin : begin + 2 * len(steps)]
        assert sum(transfer[0].reads for _, transfer in inside) == 2  # the Transfer's own, and none of the others
        return len(sizes), reply.replies[20].transfer.answers[0], reply.replies[21].reply.value

    assert run(scenario) == (27, b"\x07", 7)


def test_batch_ends_at_the_step_that_fails():
    async def scenario(one):
        steps = [step("ReadByte", address=A), step("ReadByte", address=0x49), step("ReadByte", address=A)]
        result = await failure(one.rows["Batch"](batch(await one.open(), *steps)))
        return result[1], len(one.bus.log)

    error, entries = run(scenario)
    assert (error.errno, error.step, entries) == (errno.ENXIO, 1, 4)


def test_step_whose_answer_cannot_be_right_is_told_by_its_number():
    async def scenario(one):
        steps = [step("WriteQuick", address=A), step("ReadByte", address=A), step("ReadByteData", address=A, pec=True)]
        return await failure(one.rows["Batch"](batch(await one.open(), *steps)))

    _, error = run(scenario)
    assert (error.errno, error.step) == (errno.EIO, 2)


def test_transfers_of_a_batch_are_one_of_the_bus():
    """To a board beyond the link each is a round trip."""

    async def scenario(one):
        batches = []
        make = one.bus.batch
        one.bus.batch = lambda transfers, timeout_ms: batches.append(len(transfers)) or make(transfers, timeout_ms)
        steps = [step("ReadByte", address=A)] * 3 + [step("WriteQuick", address=A)] + [step("ReadByte", address=A)] * 2
        await one.rows["Batch"](batch(await one.open(), *steps))
        return batches

    assert run(scenario) == [3, 2]


@pytest.mark.parametrize(
    ("steps", "text"),
    [
        ([], "1 to 256 steps, not 0"),
        ([step("ReadByte", address=A)] * (MAX_STEPS + 1), "not 257"),
        ([step("ReadByte", address=A), step("Batch")], "step 1: 'Batch' is no call"),
        ([step("ReadByte", address=A), step("WriteByte", address=A, value=999)], "step 1: value 999"),
        (
            [transfer_step(*[Message(address=A, read=True, length=8192)] * 5)],
            f"at most {MAX_BATCH_BYTES}",
        ),
    ],
)  # fmt: skip
def test_batch_that_cannot_be_is_refused(steps, text):
    async def scenario(one):
        return await failure(one.rows["Batch"](batch(await one.open(), *steps)))

    code, error = run(scenario)
    assert code is grpc.StatusCode.INVALID_ARGUMENT and text in str(error)


def test_calls_of_a_session_under_way_are_bounded():
    async def scenario(one):
        session = await one.open()
        one.bus.gate = asyncio.Event()
        calls = [asyncio.create_task(_one(one, session)) for _ in range(3)]
        done, others = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        one.bus.gate.set()
        await asyncio.gather(*others)
        return await failure(done.pop())

    async def _one(one, session):
        return await one.rows["ReadByte"](Request(session=session, address=A))

    code, error = run(scenario, max_calls=2)
    assert (code.name, error.errno) == ("RESOURCE_EXHAUSTED", errno.EAGAIN)


def test_session_expires_and_is_told_in_the_log():
    async def scenario(one):
        session = await one.open()
        while not any("No activity" in line for line in one.lines):
            await asyncio.sleep(0.01)
        return await failure(one.rows["ReadByte"](Request(session=session, address=A))), one.lines, session

    (code, error), lines, session = run(scenario, expiry_s=0.05)
    assert (code.name, error.errno) == ("FAILED_PRECONDITION", errno.ESTALE)
    assert f"No activity from client {session} since 0.05 sec delete it" in lines


def test_log_says_which_client_has_made_which_call():
    async def scenario(one):
        session = await one.open()
        await one.rows["ReadByteData"](Request(session=session, address=A, register=10))
        await one.rows["ReadByte"](Request(session=session, address=A))
        messages = [Message(address=A, data=b"ab"), Message(address=A, read=True, length=3)]
        await one.rows["Transfer"](TransferRequest(session=session, messages=messages))
        await one.rows["Close"](SessionRequest(session=session))
        return [line.replace(session, "ID") for line in one.lines]

    assert run(scenario) == [
        "Server started",
        "New client(ID) requests bus 1",
        "Client(ID) read_byte_data at 0x48 register 0xa",
        "Client(ID) read_byte at 0x48",
        "Client(ID) i2c_rdwr write 2 at 0x48, read 3 at 0x48",
        "Client(ID) closes",
    ]


def test_caller_that_cancels_leaves_the_bus():
    async def scenario(one):
        session = await one.open()
        one.bus.gate = asyncio.Event()
        call = one.rows["ReadByte"](Request(session=session, address=A))
        while not one.bus.log:
            await asyncio.sleep(0.001)
        call.cancel()
        while one.bus.log[-1][0] != "end":
            await asyncio.sleep(0.001)
        one.bus.gate = None
        return await one.rows["ReadByte"](Request(session=session, address=A))

    run(scenario)


def test_line_of_a_transfer_is_short_whatever_is_asked():
    from remote_i2c.rpc.smbus_pb2 import TransferRequest

    async def scenario(one):
        request = TransferRequest(session=await one.open())
        for _ in range(5_000):
            request.messages.add(address=A, read=True, length=1)
        code, _ = await failure(one.rows["Transfer"](request))
        return code.name, max(len(line) for line in one.lines)

    code, longest = run(scenario)
    assert code == "INVALID_ARGUMENT" and longest < 400
