"""`virtual_link` as tests of users have it: their program and handler, faults by name, one clock, one seed."""

import asyncio

import pytest

from sim.testing.observed import LinkFailed
from sim.testing.virtual import FAULT_NAMES
from tests.sample import all_or
from tests.sim.testing.programs import CLIENT, write_client

SOME = ("bridge-kill", "wifi-outage", "server-kill", "client-kill", "i2c-noise", "tcp-replayed", "client-sleep")


@pytest.fixture
def client(tmp_path):
    return write_client(tmp_path)


class Values:
    """A handler that keeps the values that clients send: (id, count of this life, value).

    A process that is killed may get lines again that it has processed, with their numbers.
    """

    def __init__(self):
        self.found = []
        self._next = {}  # id -> number of a line

    async def __call__(self, conn):
        lines = conn.lines()
        async for line in lines:
            if lines.number >= self._next.get(conn.client_id, 0):
                self._next[conn.client_id] = lines.number + 1
                self.found.append((conn.client_id, *map(int, line.split())))


def test_lines_and_pins_of_a_users_program_are_seen(virtual_link, client):
    values = Values()
    link = virtual_link(client, values)
    link.analog("X19", 1234)
    link.run_until(lambda: len(values.found) == 2)
    assert values.found == [("demo", 1, 1234), ("demo", 2, 1234)]
    link.analog("X19", lambda: 1300)
    link.run(30)
    assert values.found[-1][2] == 1300 and 14 <= link.seconds <= 60
    link.on_server(link.connection().write("on"))
    assert link.wait_for("led") == "led 1" and link.pin("Y3").level == 1


@pytest.mark.parametrize("fault", all_or(SOME, FAULT_NAMES))
def test_every_line_arrives_once_and_in_order_whatever_fails(virtual_link, client, fault):
    deliver_through(fault, virtual_link, client)


def test_line_whose_write_found_no_memory_is_none(virtual_link, client):
    """With this seed `write` raises. The program is started again, and goes on to count."""
    assert deliver_through("client-memory", virtual_link, client, seed=581798157) == 1


def deliver_through(fault, virtual_link, client, seed=None):
    """Deliver lines while this fails. Returns how many were not accepted: their `write` raised."""
    values = Values()
    link = virtual_link(client, values, client_may_fail="memory" in fault, seed=seed)
    link.run_until(lambda: len(values.found) == 2)
    link.inject(fault)
    link.run_until(lambda: len(values.found) >= 8, timeout_s=600)
    counts = [count for _, count, _ in values.found]
    lives = [index for index, count in enumerate(counts) if count == 1] + [len(counts)]
    missing = 0
    for begin, end in zip(lives, lives[1:], strict=False):
        life = counts[begin:end]
        assert life == sorted(set(life))
        missing += life[-1] - len(life)
    assert missing <= sum("in measure" in line for line in link.lines())  # tracebacks of the task that writes
    if not ("client" in fault or fault == "weak-random"):
        assert counts == list(range(1, len(counts) + 1))
    return missing


def test_same_seed_gives_the_same_run_and_another_one_another(virtual_link, client):
    def story(seed):
        link = virtual_link(client, Values(), seed=seed)
        link.run(20)
        for fault in ("bridge-brownout", "wifi-outage", "i2c-noise"):
            link.inject(fault)
            link.run(15)
        return link.story(), link.world.slices

    first = story(7)
    assert story(7) == first != story(8)


def test_several_clients_share_a_server_and_have_their_own_faults(virtual_link, client):
    values = Values()
    link = virtual_link({"pump": client, "valve": client}, values)
    link.analog("X19", 1, "pump")
    link.analog("X19", 2, "valve")
    link.run(40)
    link.inject("bridge-kill", "pump")
    link.inject("server-kill", "valve")
    link.run(100)
    assert "esp_link: up" in link.wait_for("esp_link: up", "pump", board="bridge", count=2)
    assert len([line for line in link.lines("valve", board="bridge") if "esp_link: up" in line]) == 1
    for client_id, value in (("pump", 1), ("valve", 2)):
        own = [(count, found) for who, count, found in values.found if who == client_id]
        assert len(own) >= 13 and own == [(count, value) for count in range(1, len(own) + 1)]
    with pytest.raises(ValueError, match="name one of pump, valve"):
        link.connection()


def test_store_outlives_the_servers_process(virtual_link, client):
    link = virtual_link(client)
    link.wait_for("Server is up")
    link.inject("wifi-outage")
    link.on_server(link.connection().write("on", wait=False))
    link.inject("server-kill")
    assert link.wait_for("led") == "led 1"


def test_connection_after_a_kill_is_that_of_the_next_life(virtual_link, client):
    link = virtual_link(client)
    link.wait_for("Server is up")
    before = link.connection()
    link.inject("server-kill")
    assert link.connection() is not before
    link.on_server(link.connection().write("on"))
    assert link.wait_for("led") == "led 1"


def test_failure_of_the_client_fails_the_test_unless_it_may(virtual_link, client):
    for may in (False, True):
        link = virtual_link(client, client_may_fail=may)
        link.wait_for("Server is up")
        link.on_server(link.connection().write("fail", wait=False))
        if may:
            link.run(10)
        else:
            with pytest.raises(LinkFailed, match="the application of demo has failed"):
                link.run(10)
        assert link.wait_for("ValueError: it was told to")


def test_failure_of_the_client_behind_a_print_without_an_end_fails_the_test(virtual_link, tmp_path):
    text = CLIENT.replace("raise ValueError", "print('measuring ..', end=' '); raise ValueError")
    path = write_client(tmp_path, text)
    link = virtual_link(path)
    link.on_server(link.connection().write("fail", wait=False))
    with pytest.raises(LinkFailed, match="the application of demo has failed"):
        link.run(10)


def test_failure_of_the_handler_is_raised_unless_it_may_fail(virtual_link, client):
    async def handler(conn):
        raise KeyError(await conn.readline())

    with pytest.raises(KeyError, match="1 0"):
        virtual_link(client, handler).run(30)
    link = virtual_link(client, handler, handler_may_fail=True)
    link.run(30)
    assert len(link.handler_errors) > 1


@pytest.mark.parametrize("outcome", [pytest.fail, pytest.skip, pytest.xfail])
def test_outcome_of_the_test_in_a_handler_is_the_tests_although_the_handler_may_fail(virtual_link, client, outcome):
    async def check(conn):
        outcome(f"unexpected {await conn.readline()}")

    async def handler(conn):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(check(conn))

    for one in (check, handler):
        link = virtual_link(client, one, handler_may_fail=True)
        with pytest.raises(outcome.Exception, match="unexpected 1 0"):
            link.run(30)
        assert len(link.handler_errors) <= 1


def test_outcome_of_the_test_in_the_clients_program_is_the_tests_once(virtual_link, client):
    link = virtual_link(client, client_may_fail=True)
    link.analog("X19", lambda: pytest.fail("asked too early"))
    with pytest.raises(pytest.fail.Exception, match="asked too early"):
        link.run(30)
    link.run(1)


def test_task_that_ends_by_what_is_no_exception_fails_the_test_and_its_cancellation_does_not(virtual_link, client):
    class Stopped(BaseException):
        pass

    def stop():
        raise Stopped("by the sensor")

    async def handler(conn):
        task = asyncio.create_task(conn.readline())
        await asyncio.sleep(0)
        task.cancel()

    link = virtual_link(client, handler, machine={"ADC": lambda pin: stop()})
    with pytest.raises(Stopped, match="by the sensor"):
        link.run(30)
    link = virtual_link(client, handler, machine={"ADC": lambda pin: stop()}, client_may_fail=True)
    link.run(30)
    assert link.wait_for("Server is up")


def test_callback_of_the_server_that_fails_is_no_output_alone(virtual_link, client):
    async def handler(conn):
        asyncio.get_running_loop().call_soon(lambda: {}["gone"])
        await conn.readline()

    with pytest.raises(LinkFailed, match="the server: Exception in callback .*KeyError"):
        virtual_link(client, handler).run(30)


def test_what_does_not_come_is_said_with_the_time(virtual_link, client):
    link = virtual_link(client)
    with pytest.raises(LinkFailed, match=r"'never' \(x1\) from the client did not come within 5 s"):
        link.wait_for("never", timeout_s=5)
    assert link.seconds == pytest.approx(5)


def test_mistakes_are_told(virtual_link, client):
    link = virtual_link(client)
    for wrong, text in (
        (lambda: link.inject("bridge-kil"), "there is no fault 'bridge-kil'"),
        (lambda: link.lines(board="brigde"), "a board is client, bridge or server"),
        (lambda: link.pin("X9"), "one of the link's own pins"),
        (lambda: link.sensors(), "there is no second I2C bus"),
        (lambda: virtual_link(client, costs="free"), "costs is one of placeholders, calculated, zero, not 'free'"),
        (lambda: virtual_link(client, settings={"id": "x"}), "settings: id: the fixture makes id, key, pins, server"),
        (lambda: virtual_link(client, settings={"server": "b", "key": "00"}), "settings: key, server: the fixture"),
        (lambda: virtual_link(client, settings={"pins": {}}), "settings: pins: the fixture makes"),
        (lambda: virtual_link(client, settings={"timout_ms": 500}), "there is no setting 'timout_ms'; there are port"),
        (lambda: virtual_link(client, settings={"timeout_ms": 5}), "settings: timeout_ms is 5, not 200..600000"),
        (lambda: link.connection("pump"), "there is no client 'pump'"),
    ):
        with pytest.raises(ValueError, match=text):
            wrong()
    with pytest.raises(FileNotFoundError, match="there is no client program"):
        virtual_link(client.with_name("gone.py"))
    link.analog("X19", 70000)
    with pytest.raises(LinkFailed, match="has failed"):
        link.run(20)


def test_asynchronous_test_is_told_that_it_must_not_be_one(virtual_link, client):
    async def test():
        virtual_link(client).run(1)

    with pytest.raises(RuntimeError, match="a plain function"):
        asyncio.run(test())


def test_program_with_a_fault_at_its_top_fails_the_test(virtual_link, tmp_path):
    link = virtual_link(write_client(tmp_path, "import nonesuch\n"))
    with pytest.raises(ModuleNotFoundError, match="nonesuch"):
        link.run(5)


def test_program_that_ends_is_told(virtual_link, tmp_path):
    ends = CLIENT.replace("    async def measure(self):", "    async def measure(self):\n        self.close(); return")
    link = virtual_link(write_client(tmp_path, ends))
    assert link.wait_for("has ended")


def test_settings_are_the_clients_and_the_servers(virtual_link, client):
    values = Values()
    link = virtual_link(client, values, settings={"port": 9000, "report_s": 3})
    link.run_until(lambda: values.found)
    link.wait_for("Connects 1 Count 2")
    assert link.seconds < 20


def test_sensors_on_the_second_bus_are_those_of_the_plan(virtual_link, tmp_path):
    path = write_client(tmp_path, SENSOR_CLIENT)
    link = virtual_link(path, sensors=[{"type": "TMP117", "values": {"temperature": 21.5}}])
    assert link.wait_for("celsius") == "celsius 21.5"
    assert virtual_link(path, sensors=[]).sensors().members == []


SENSOR_CLIENT = """
import asyncio
from machine import I2C
from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

class App(AppBase):
    async def start(self):
        i2c = I2C(2, freq=400000)
        await asyncio.sleep(2)
        data = i2c.readfrom_mem(0x48, 0, 2)
        print("celsius", int.from_bytes(data, "big") / 128)

asyncio.run(App(conn_id, config, hardware).run())
"""
