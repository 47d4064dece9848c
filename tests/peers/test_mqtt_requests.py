"""Requests through the gateway and a real Mosquitto, both ways; the server and the broker end in between."""

import asyncio
import contextlib
import random
import shlex
import signal
import subprocess

import pytest

from protocol.channel_records import ANSWER, FAILURE
from tests.patience import PATIENCE_S
from tests.peers import mosquitto
from tests.peers.gateway import GatewayServer
from tests.peers.mosquitto import Mosquitto
from tests.peers.processes import ROOT
from tests.peers.test_mqtt import in_thread
from tests.peers.test_mqtt_channels import mapped
from tests.server.peer import HOST, until
from tests.server.request_client import ASK, SERVE, RequestClient

COUNT = 40
ENDS = 4
ALIVE_S = 0.6  # of a server or broker before its end


@pytest.fixture
def app(missing_tool):
    """The module, which needs the extra."""
    try:
        from tests.peers import mqtt_application
    except ModuleNotFoundError as error:
        missing_tool(f"{error}: pip install '.[mqtt]'")
    return mqtt_application


@pytest.fixture
def folder(tmp_path, missing_tool):
    mosquitto.needed(missing_tool)
    return tmp_path


@pytest.fixture
def broker(folder):
    with Mosquitto(folder / "broker") as broker:
        yield broker


@contextlib.asynccontextmanager
async def living(app, broker, server):
    client = RequestClient(server.port, "pump", key=server.keys["pump"])
    task = asyncio.create_task(client.live())
    try:
        await mapped(broker, ASK, SERVE)
        yield client
    finally:
        task.cancel()
        client.cut()


def test_requests_of_applications_are_answered_with_their_correlation_data(broker, folder, app):
    async def main(server):
        async with living(app, broker, server) as client, app.Application(broker.port, app.ANSWERS) as asking:
            client.fails = {b"fails"}
            for name, data in ((b"\0\xff", b"one"), (b"n", b""), (b"f", b"fails")):
                await asking.ask(name, data)
            assert await asking.has(b"\0\xff") == (b"eno", None) and await asking.has(b"n") == (b"", None)
            text, error = await asking.has(b"f")
            assert error == "failed" and text == b"channel 30: ValueError: bad"
            await asking.ask(b"big", bytes(8190))
            text, error = await asking.has(b"big")
            assert error == "refused" and b"the message has 8190 bytes, the longest is" in text
            client.holding = True
            await asking.ask(b"late", b"late", MessageExpiryInterval=1)
            text, error = await asking.has(b"late")
            assert error == "timeout" and b"no answer on channel 30" in text
            await asking.publish(app.DOWN, b"no topic")
            await asking.publish(app.DOWN, b"bad topic", ResponseTopic="pb_link/other/down")
            await until(lambda: len(server.log("mqtt_refused")) == 2, "the refusals")
            told = [one["reason"] for one in server.log("mqtt_refused")]
            assert "no Response Topic: publish it with MQTT 5" in told[0] and "one of the gateway's own" in told[1]
            assert client.runs == {b"one": 1, b"": 1, b"fails": 1, b"late": 1}

    with GatewayServer(folder, broker.port, "pump", more=app.SETTINGS) as server:
        asyncio.run(main(server))
        assert server.end() == 0


def test_documented_command_asks(broker, folder, app):
    documented = (ROOT / "docs" / "mqtt.md").read_text()
    command = shlex.split(next(line for line in documented.splitlines() if line.startswith("mosquitto_rr ")))
    command[:1] = [mosquitto.tool(command[0]), "-h", HOST, "-p", str(broker.port)]

    async def main(server):
        async with living(app, broker, server):
            done = await in_thread(lambda: subprocess.run(command, capture_output=True, timeout=PATIENCE_S))
            assert done.returncode == 0 and done.stdout == b"?erutarepmet\n", done

    with GatewayServer(folder, broker.port, "pump", more=app.SETTINGS) as server:
        asyncio.run(main(server))


def test_requests_of_a_client_are_answered_by_an_application(broker, folder, app):
    async def main(server):
        async with living(app, broker, server) as client:
            client.ask(1, b"nobody")
            kind, text = await client.has_answer(1)
            assert kind == FAILURE and text == b"NoAnswer: no MQTT application has subscribed to " + app.UP.encode()
            async with app.Application(broker.port, app.UP) as answering:
                answering.answers = lambda data: {b"bad": (b"no such pump", "failed"), b"none": None}.get(
                    data, (data * 2, None)
                )
                client.ask(2, b"\0\xff")
                client.ask(3, b"bad")
                assert await client.has_answer(2) == (ANSWER, b"\0\xff\0\xff")
                assert await client.has_answer(3) == (FAILURE, b"ApplicationFailed: no such pump")
                client.ask(4, b"none", 700)
                await until(lambda: len(server.log("request_failed")) == 3, "the end of the last")
                assert "no MQTT application has answered in time" in server.log("request_failed")[-1]["error"]
                await answering.publish("pb_link/pump/ch/31/down", b"stray", CorrelationData=b"x")
                await answering.publish("pb_link/pump/ch/31/down", b"stray")
                await until(lambda: len(server.log("mqtt_refused")) == 2, "the refusals")
                assert answering.requests == {b"\0\xff": 1, b"bad": 1, b"none": 1}

    with GatewayServer(folder, broker.port, "pump", more=app.SETTINGS) as server:
        asyncio.run(main(server))
        assert server.end() == 0


def test_unanswered_requests_of_applications_are_bounded(broker, folder, app):
    async def main(server):
        async with living(app, broker, server) as client, app.Application(broker.port, app.ANSWERS) as asking:
            client.holding = True
            for number in range(COUNT):
                await asking.ask(b"%d" % number, b"%d" % number)
            await until(lambda: len(client.held) == 16, "requests")
            await asyncio.sleep(0.3)
            assert len(client.held) == 16, "the others wait at the broker"
            client.release()
            for number in range(COUNT):
                assert await asking.has(b"%d" % number) == ((b"%d" % number)[::-1], None)
            assert sum(client.runs.values()) == COUNT and len(asking.got) == COUNT

    with GatewayServer(folder, broker.port, "pump", more=app.SETTINGS) as server:
        asyncio.run(main(server))


def test_server_that_is_killed_while_handlers_run_answers_failures_and_runs_none_again(broker, folder, app):
    async def main(server):
        async with (
            living(app, broker, server) as client,
            app.Application(broker.port, app.ANSWERS, name="asking") as asking,
            app.Application(broker.port, app.UP, name="answering") as answering,
        ):
            client.holding, answering.answers = True, lambda data: None
            await asking.ask(b"n", b"slow")
            client.ask(1, b"slow")
            await until(lambda: client.held and answering.requests[b"slow"], "the requests")
            server.kill()
            server.start()
            text, error = await asking.has(b"n")
            assert error == "failed" and b"the server was restarted while it waited for the answer" in text
            kind, text = await client.has_answer(1)
            assert kind == FAILURE and b"the server was restarted" in text
            client.release()  # nobody waits for it any longer
            answering.answers = lambda data: (b"new", None)
            await asking.ask(b"n", b"slow")  # the application may repeat it
            client.ask(2, b"slow")
            await until(lambda: len(asking.of(b"n")) == 2, "the new answer")
            assert asking.of(b"n")[1] == (b"wols", None) and client.runs == {b"slow": 2}
            assert await client.has_answer(2) == (ANSWER, b"new")

    with GatewayServer(folder, broker.port, "pump", more=app.SETTINGS) as server:
        asyncio.run(main(server))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_broker_that_ends_while_handlers_run_costs_no_answer(broker, folder, app, number):
    async def main(server):
        async with (
            living(app, broker, server) as client,
            app.Application(broker.port, app.ANSWERS, name="asking") as asking,
            app.Application(broker.port, app.UP, name="answering") as answering,
        ):
            client.holding, answering.answers = True, lambda data: None
            await asking.ask(b"n", b"slow")
            client.ask(1, b"slow")
            await until(lambda: client.held and answering.requests[b"slow"], "the requests")
            await asyncio.sleep(1.5)  # so that the broker has saved what it knows
            await in_thread(broker.stop, number)
            client.release()
            await in_thread(broker.start)
            assert await asking.has(b"n") == (b"wols", None) and client.runs == {b"slow": 1}
            await answering.publish("pb_link/pump/ch/31/down", b"late", CorrelationData=answering.last)
            assert await client.has_answer(1) == (ANSWER, b"late")
            assert client.runs == {b"slow": 1}

    with GatewayServer(folder, broker.port, "pump", more=app.SETTINGS) as server:
        asyncio.run(main(server))


@pytest.mark.parametrize("what", ["server", "broker"])
def test_each_request_runs_at_most_once_and_is_answered_whatever_ends(broker, folder, app, what, report_line):
    """Both ways. The broker ends cleanly: one that is killed may forget what it has acknowledged."""
    rng = random.Random(random.randrange(1 << 32))

    async def end(server):
        await asyncio.sleep(rng.uniform(0, ALIVE_S))
        if what == "server":
            server.kill()
            server.start()
        else:
            await in_thread(broker.stop, signal.SIGTERM)
            await in_thread(broker.start)

    async def ask_all(asking, client):
        for number in range(COUNT):
            await asking.ask(b"a%d" % number, b"a%d" % number)
            client.ask(number, b"c%d" % number)
            await asyncio.sleep(rng.uniform(0, 2 * ENDS * ALIVE_S / COUNT))

    async def main(server):
        async with (
            living(app, broker, server) as client,
            app.Application(broker.port, app.ANSWERS, name="asking") as asking,
            app.Application(broker.port, app.UP, name="answering") as answering,
        ):
            answering.answers = lambda data: (data[::-1], None)
            work = asyncio.create_task(ask_all(asking, client))
            for _ in range(ENDS):
                await end(server)
            await work
            names = [b"a%d" % number for number in range(COUNT)]
            for name in names:
                payload, error = await asking.has(name)
                if error is None:
                    assert payload == name[::-1] and client.runs[name] >= 1
                else:
                    assert what == "server" and error == "failed", payload
                    assert b"the server was restarted" in payload
            kinds = []
            for number in range(COUNT):
                kind, text = await client.has_answer(number)
                kinds.append(kind)
                if kind == ANSWER:
                    assert text == (b"c%d" % number)[::-1]
                else:
                    assert what == "server" and b"the server was restarted" in text, text
            twice = len(asking.got) - COUNT
            failed = sum(asking.of(name)[0][1] is not None for name in names)
            report_line(
                f"MQTT requests, {ENDS} ends of the {what}: {failed} of {COUNT} failed down, {twice} answers twice, "
                f"{kinds.count(FAILURE)} failed up, {sum(answering.requests.values()) - COUNT} requests twice"
            )
            assert all(count <= asking.attempts[name] for name, count in client.runs.items()), "none ran twice"

    with GatewayServer(folder, broker.port, "pump", more=app.SETTINGS) as server:
        asyncio.run(main(server))
