"""web_i2c.js in Node.js, against a door with a bus in RAM."""

import asyncio
import json
import re

from protocol.version import RELEASE, release_text
from remote_i2c.errors import damaged
from remote_i2c.shared import SharedBus
from tests.remote_i2c.fake_bus import FakeBus
from tests.remote_i2c.web.doors import TOKEN, base_of, fake_bus, opened_door, patient
from tests.remote_i2c.web.javascript import WEB_I2C
from tests.remote_i2c.web.relay import Relay
from tests.server.peer import until


def play(node, script, bus=None, **options):
    """Returns what the script returns, run against a door."""

    async def run():
        async with opened_door(bus, **options) as door:
            return await node.run(script, base_of(door, scheme="ws") + "/i2c", options.get("token", ""))

    return asyncio.run(run())


def test_ports_are_a_map_with_callbacks_and_iterators(node):
    buses = {"1": SharedBus(fake_bus(), {0x48}), "mast": SharedBus(fake_bus(), {0x48})}
    script = """
    const { ports } = await WebI2C.requestI2CAccess();
    const called = { keys: [], values: [] };
    const nothing = [ports.keys((one) => called.keys.push(one)), ports.values((one) => called.values.push(one))];
    assert.deepStrictEqual(nothing, [undefined, undefined]);
    assert.deepStrictEqual(called.keys, [...ports.keys()]);
    assert.deepStrictEqual(called.values, [...ports.values()]);
    assert.strictEqual(ports.get(1), ports.get("1"));
    assert.strictEqual(ports.getByName("i2c-1"), ports.get(1));
    assert.strictEqual(ports.getByName("mast"), ports.get(0));
    assert.strictEqual(ports.getByName("i2c-0"), ports.get(0));
    assert.strictEqual(ports.get(7), undefined);
    assert.strictEqual(ports.has(0), true);
    const each = [];
    ports.forEach((port, number, map) => each.push([number, port.portNumber, map === ports]));
    const pairs = [...ports].map(([number, port]) => [number, port.portName, port.pinName]);
    return [ports.size, called.keys, each, pairs];
    """
    size, keys, each, pairs = play(node, script, buses)
    assert size == 2 and keys == [1, 0]
    assert each == [[1, 1, True], [0, 0, True]]
    assert pairs == [[1, "i2c-1", ""], [0, "mast", ""]]


def test_each_call_of_a_device(node):
    bus = fake_bus()
    script = """
    const { ports } = await WebI2C.requestI2CAccess();
    const device = await ports.get(1).open(0x48);
    const plain = (data) => { assert(data instanceof Uint8Array); return [...data]; };
    return [
      device.slaveAddress, device.address, await device.read8(0x11), await device.read16(0x20),
      await device.write8(0x30, 0xab), await device.write16(0x40, 0x1234), await device.writeByte(0x30),
      await device.readByte(), plain(await device.readBytes(2)), plain(await device.writeBytes([0x50, 1, 2])),
      plain(await device.writeBytes(Uint8Array.of(0x40).buffer)), plain(await device.readBytes(2)),
      plain(await device.writeReadBytes([0x50], 3)),
    ];
    """
    assert play(node, script, bus) == [
        0x48, 0x48, 0x11, 0x2120, 0xAB, 0x1234, 0x30, 0xAB, [0xAB, 0x31], [0x50, 1, 2], [0x40], [0x34, 0x12],
        [1, 2, 0x52],
    ]  # fmt: skip
    assert bus.devices[0x48][0x30] == 0xAB


def test_numbers_lose_their_fraction_and_are_then_in_range_or_an_error(node):
    script = """
    const device = await (await WebI2C.requestI2CAccess()).ports.get(1).open(0x50);
    const bad = [
      device.write8(0, 256), device.write8(0, -1), device.write8(0, "1"), device.write8(0, NaN), device.write8(0),
      device.write8(256, 0), device.write16(0, 65536), device.read8(), device.read16(-1), device.readBytes(0),
      device.readBytes(100000), device.readBytes(), device.writeByte(null), device.writeBytes([]), device.writeBytes(7),
      device.writeBytes("text"), device.writeBytes([1, 300]), device.writeBytes(null), device.writeReadBytes([0], 0),
      device.write8(0, { toString() { throw 1; } }),
    ];
    const errors = await Promise.all(bad.map(failure));
    assert(errors.every((error) => error instanceof Error && error.name === "InvalidAccessError"), errors);
    assert(errors.every((error) => String(error).startsWith("InvalidAccessError: ")), errors);
    return [await device.write8(0, 7.9), await device.read8(0.5)];
    """
    assert play(node, script) == [7, 7]


def test_open_fails_as_the_draft_says(node):
    script = """
    const { ports } = await WebI2C.requestI2CAccess();
    const open = async (...address) => (await failure(ports.get(1).open(...address))).name;
    const absent = await failure(ports.get(1).open(0x49));
    assert.match(String(absent), /^OperationError: no device acknowledges address 0x49 of i2c-1$/);
    assert.strictEqual(absent.code, "ENXIO");
    const later = await ports.get(1).open(0x49, { probe: false });
    const unanswered = await failure(later.read8(0));
    return [await open(), await open("0x48"), await open(0x80), await open(0x10), absent.place, unanswered.name];
    """
    names = ["NotSupportedError"] * 4
    assert play(node, script) == [*names, "bus", "OperationError"]


def test_errors_of_the_bus_have_a_name_a_code_and_a_place(node):
    class Broken(FakeBus):
        async def transfer(self, transfer, timeout_ms=1000):
            raise damaged(0x48, "the answer is damaged")

    script = """
    const port = (await WebI2C.requestI2CAccess()).ports.get(1);
    const error = await failure((await port.open(0x48, { probe: false })).read8(0));
    const far = await failure((await port.open(0x10, { probe: false })).read8(0));
    return [String(error), error.code, error.place, far.name, far.code];
    """
    assert play(node, script, Broken({0x48: bytearray(1)})) == [
        "OperationError: the answer is damaged (address 0x48)", "EIO", "bus", "InvalidAccessError", "EACCES"
    ]  # fmt: skip


def test_a_wrong_token_is_an_invalid_access_and_is_not_tried_again(node):
    script = """
    const missing = await failure(WebI2C.requestI2CAccess({ token: "" }));
    const wrong = await failure(WebI2C.requestI2CAccess({ token: "wrong" }));
    const access = await WebI2C.requestI2CAccess();
    assert.strictEqual(access, await WebI2C.requestI2CAccess());
    return [String(missing), String(wrong), access.ports.size];
    """
    missing, wrong, size = play(node, script, token=TOKEN)
    assert missing == "InvalidAccessError: the door: a token is needed"
    assert wrong == "InvalidAccessError: the door: the token is wrong"
    assert size == 1


def test_a_door_that_is_not_there_is_a_network_error_in_a_bounded_time(node):
    script = """
    const gone = await failure(WebI2C.requestI2CAccess({ url: "ws://127.0.0.1:1/i2c", connectTimeoutMs: 300 }));
    const nowhere = await failure(WebI2C.requestI2CAccess({ url: "no address" }));
    const none = await failure(WebI2C.requestI2CAccess({ url: "ws://127.0.0.1:1/x", WebSocket: 7 }));
    assert.match(String(gone), /^NetworkError: no door at ws:..127.0.0.1:1.i2c within 300 ms/);
    return [gone.code, nowhere.name, none.name];
    """
    assert play(node, script) == ["ETIMEDOUT", "NotSupportedError", "NotSupportedError"]


def test_sixteen_calls_leave_before_the_first_answer_and_keep_their_order(node, report_line):
    """The bus stands until all have come: so they take one round trip."""
    bus = fake_bus()
    script = """
    const device = await (await WebI2C.requestI2CAccess()).ports.get(1).open(0x50);
    await Promise.all(Array.from({ length: 16 }, (_, index) => device.writeBytes([index, index + 1])));
    return [...(await device.writeReadBytes([0], 16))];
    """

    async def run():
        async with opened_door(bus) as door:
            bus.gate = asyncio.Event()
            running = asyncio.create_task(node.run(script, base_of(door, scheme="ws") + "/i2c"))
            await until(lambda: running.done() or door.counts.taken == 17, "the 16 calls behind the one of open")
            begun = len(bus.log)
            bus.gate.set()
            return begun, await running

    begun, registers = asyncio.run(run())
    assert begun == 1  # the first alone has reached the bus
    assert registers == list(range(1, 17))
    order = [transfer[0].data[0] for what, transfer in bus.log if what == "end" and transfer[0].data][:16]
    assert order == list(range(16))
    report_line("web_i2c: 16 concurrent writeBytes: all sent before the first answer, one round trip")


def test_time_of_sixteen_calls_on_a_slow_way(node, report_line):
    """Reported, and not judged: it depends on the machine."""
    script = """
    const device = await (await WebI2C.requestI2CAccess()).ports.get(1).open(0x50);
    const begin = performance.now();
    await Promise.all(Array.from({ length: 16 }, (_, index) => device.writeBytes([index, index])));
    return performance.now() - begin;
    """

    async def run():
        async with opened_door() as door, Relay(door.addresses[0], delay_s=0.05) as relay:
            return await node.run(script, f"ws://127.0.0.1:{relay.port}/i2c")

    took_ms = asyncio.run(run())
    report_line(f"web_i2c: 16 concurrent writeBytes with 50 ms each way: {took_ms / 100:.2f} round trips")


def test_calls_wait_for_a_new_connection_and_lost_ones_fail(node):
    bus = fake_bus()
    script = """
    const access = await WebI2C.requestI2CAccess();
    const told = [];
    access.onconnectionchange = (connected) => told.push(connected);
    const device = await access.ports.get(1).open(0x48);
    const errors = await Promise.all([device.read8(1), device.read8(2)].map(failure));
    assert(errors.every((error) => error.name === "NetworkError" && error.code === "ECONNRESET"), errors);
    const value = await device.read8(3);
    await sleep(0);
    return [value, access.connected, told];
    """

    async def run():
        async with opened_door(bus) as door, Relay(door.addresses[0]) as relay:
            bus.gate = asyncio.Event()
            running = asyncio.create_task(node.run(script, f"ws://127.0.0.1:{relay.port}/i2c"))
            await until(lambda: running.done() or door.counts.taken == 3, "the calls")
            relay.cut()
            bus.gate.set()
            answer = await running
            assert relay.opened == 2
            return answer

    assert asyncio.run(run()) == [3, True, [False, True]]


def test_a_call_without_an_answer_fails_in_its_time(node, tmp_path):
    """Nothing passes any more, and no end tells so: the half-open connection is given up."""
    begun = tmp_path / "begun"
    script = """
    const access = await WebI2C.requestI2CAccess({ callTimeoutMs: 400 });
    const device = await access.ports.get(1).open(0x48, { probe: false });
    let value;
    while (value === undefined) {  // on a loaded machine the time may be too short
      value = await device.write8(0xf0, 1).catch((error) => { if (error.name !== "NetworkError") throw error; });
    }
    require("fs").writeFileSync(BEGUN, "");
    let error;
    while (error === undefined) {
      error = await device.read8(1).then(() => undefined, (error) => error);
    }
    return [error.name, error.code];
    """.replace("BEGUN", json.dumps(str(begun)))

    async def run():
        async with opened_door() as door, Relay(door.addresses[0]) as relay:
            running = asyncio.create_task(node.run(script, f"ws://127.0.0.1:{relay.port}/i2c"))
            await until(lambda: running.done() or begun.exists(), "the call")
            relay.flowing.clear()
            return await running

    assert asyncio.run(run()) == ["NetworkError", "ETIMEDOUT"]


def test_calls_of_an_outage_fail_in_their_time_and_work_after_it(node, tmp_path):
    down, over = tmp_path / "down", tmp_path / "over"
    script = """
    const access = await WebI2C.requestI2CAccess({ callTimeoutMs: 300 });
    const device = await access.ports.get(1).open(0x48, { probe: false });
    const { existsSync, writeFileSync } = require("fs");
    let begun = false, error = null;
    // The outage is known once a call fails without a connection: before, a loaded machine may be late too.
    while (!begun || error === null || error.code === "ECONNRESET" || !error.message.includes(": ")) {
      begun = existsSync(DOWN);
      error = await device.read8(1).then(() => null, (error) => error);
    }
    writeFileSync(OVER, "");
    let value;
    while (value === undefined) {
      value = await device.read8(2).catch((error) => { if (error.name !== "NetworkError") throw error; });
    }
    return [String(error).slice(0, 40), error.place, value];
    """.replace("OVER", json.dumps(str(over))).replace("DOWN", json.dumps(str(down)))

    async def run():
        async with opened_door() as door, Relay(door.addresses[0]) as relay:
            running = asyncio.create_task(node.run(script, f"ws://127.0.0.1:{relay.port}/i2c"))
            await until(lambda: running.done() or door.counts.done > 1, "the first calls")
            await relay.refuse()
            relay.cut()
            down.touch()
            await until(lambda: running.done() or over.exists(), "the error")
            await relay.listen_again()
            return await running

    assert asyncio.run(run()) == ["NetworkError: no answer within 300 ms: t", "link", 2]


def test_more_calls_than_the_door_takes_wait_in_the_page(node):
    script = """
    const device = await (await WebI2C.requestI2CAccess()).ports.get(1).open(0x48);
    const results = await Promise.allSettled(Array.from({ length: 1200 }, (_, index) => device.read8(index & 0xff)));
    const refused = results.filter((one) => one.status === "rejected").map((one) => one.reason);
    assert(refused.every((error) => error.name === "OperationError" && error.code === "EAGAIN"), refused[0]);
    const good = results.filter((one, index) => one.value === (index & 0xff)).length;
    return [good, refused.length];
    """
    good, refused = play(node, script, limits=patient(in_flight=4, reserve=5000))
    assert good == 4 + 1024 and good + refused == 1200


def test_a_closed_access_ends_its_calls_and_a_new_one_can_be_had(node):
    script = """
    const access = await WebI2C.requestI2CAccess();
    const device = await access.ports.get(1).open(0x48);
    access.close();
    const error = await failure(device.read8(0));
    const again = await WebI2C.requestI2CAccess();
    const value = await (await again.ports.get(1).open(0x48)).read8(5);
    return [String(error), access.connected, again.connected, value];
    """
    assert play(node, script) == ["NetworkError: this access was closed", False, True, 5]


def test_the_websocket_of_the_platform_is_used_if_none_is_given(node):
    script = """
    WebI2C.configure({ WebSocket: null });
    const none = await failure(WebI2C.requestI2CAccess({ WebSocket: 7 }));
    globalThis.WebSocket = ws;
    return [none.name, (await WebI2C.requestI2CAccess()).ports.size];
    """
    assert play(node, script) == ["NotSupportedError", 1]


def test_unknown_settings_are_named(node):
    script = """
    assert.throws(() => WebI2C.configure({ tocken: "x" }), /there is no setting tocken/);
    return (await failure(WebI2C.requestI2CAccess({ timeout: 1 }))).message;
    """
    assert play(node, script).startswith("there is no setting timeout")


# The package.


def test_the_package_has_the_release_and_its_files():
    package = json.loads((WEB_I2C.parent / "package.json").read_text(encoding="utf-8"))
    assert package["version"] == release_text(RELEASE)
    assert sorted(package["files"]) == sorted(p.name for p in WEB_I2C.parent.iterdir() if p.name != "package.json")
    licenses = [(folder / "LICENSE").read_bytes() for folder in (WEB_I2C.parent, WEB_I2C.parents[3])]
    assert package["license"] == "MIT" and licenses[0] == licenses[1]


def test_the_types_name_what_there_is():
    types = (WEB_I2C.parent / "web_i2c.d.ts").read_text(encoding="utf-8")
    source = WEB_I2C.read_text(encoding="utf-8")
    for name in ("I2CAccess", "I2CPortMap", "I2CPort", "I2CSlaveDevice"):
        declared = re.search(rf"export class {name} .*?\n}}", types, re.DOTALL)[0]
        defined = re.search(rf"\n  class {name} .*?\n  }}", source, re.DOTALL)[0]
        methods = set(re.findall(r"^  (\w+)[(]", declared, re.MULTILINE))
        assert methods == set(re.findall(r"^    (?:async )?([a-z]\w+)[(].*{$", defined, re.MULTILINE)) - {"constructor"}


def test_modules_have_the_same_names(node):
    script = """
    const names = await import(NPM + "/web_i2c.mjs");
    assert.strictEqual(names.requestI2CAccess, WebI2C.requestI2CAccess);
    return Object.keys(names).sort();
    """.replace("NPM", json.dumps(str(WEB_I2C.parent)))
    exported = play(node, script)
    assert exported == sorted(["requestI2CAccess", "configure", "I2CError", "I2CAccess", "I2CPortMap", "I2CPort",
                               "I2CSlaveDevice"])  # fmt: skip
