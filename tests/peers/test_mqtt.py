"""The gateway, a real Mosquitto and its own clients: topics, status, refusals, discovery, access."""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.patience import until as until_now
from tests.peers import mosquitto
from tests.peers.gateway import GatewayServer
from tests.peers.mosquitto import Mosquitto
from tests.server.peer import until, within

DOWN, STATUS = "pb_link/pump/down", "pb_link/pump/status"


@pytest.fixture
def folder(tmp_path, missing_tool):
    mosquitto.needed(missing_tool)
    return tmp_path


@pytest.fixture
def broker(folder):
    with Mosquitto(folder / "broker") as broker:
        yield broker


def subscribed(broker, *topics):
    """Return when the gateway gets what is published there: it subscribes after it has connected."""
    until_now(lambda: broker.subscribed(*topics), f"the subscription of {topics}")


async def in_thread(function, *words):
    return await asyncio.to_thread(function, *words)


def test_lines_go_up_and_down_and_the_status_is_retained(broker, folder):
    async def traffic(server, watcher):
        client = server.client()
        await within(client.connect())
        await in_thread(watcher.wait_for, lambda seen: (STATUS, "online", None) in seen, "online")
        for number in range(100):
            await client.write(f"line {number} \N{DEGREE SIGN}")
        await within(client.acknowledged())
        await in_thread(watcher.wait_for, lambda seen: len([one for one in seen if "up" in one[0]]) == 100, "the lines")
        await in_thread(broker.publish, "pb_link/pump/down", "open \N{DEGREE SIGN}\n")
        await in_thread(broker.publish, "pb_link/pump/down", "")
        assert await within(client.expect(2)) == ["open \N{DEGREE SIGN}\n", "\n"]
        assert broker.retained(STATUS) == "online"
        await until_async(lambda: server.metric("mqtt_published_total"), 100)
        assert await server.metric("mqtt_received_total") == 2 and await server.metric("mqtt_in_flight") == 0
        client.cut()
        await in_thread(watcher.wait_for, lambda seen: seen[-1] == (STATUS, "offline", None), "offline")

    with broker.watch("pb_link/#") as watcher, GatewayServer(folder, broker.port, "pump") as server:
        asyncio.run(traffic(server, watcher))
        assert [one[1:] for one in watcher.messages if one[0] == "pb_link/pump/up"] == [
            (f"line {number} \N{DEGREE SIGN}", number) for number in range(100)
        ]
        assert server.end() == 0
    assert broker.retained(STATUS) == "offline"


async def until_async(get, value):
    for _ in range(3000):
        if await get() == value:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"it is {await get()}, not {value}")


def test_last_will_says_that_a_client_of_a_killed_server_is_offline(broker, folder):
    async def come(server, watcher):
        client = server.client()
        await within(client.connect())
        await in_thread(watcher.wait_for, lambda seen: seen[-1:] == [(STATUS, "online", None)], "online")
        server.kill()
        await in_thread(watcher.wait_for, lambda seen: seen[-1:] == [(STATUS, "offline", None)], "the will")
        client.cut()

    with broker.watch(STATUS) as watcher, GatewayServer(folder, broker.port, "pump") as server:
        asyncio.run(come(server, watcher))
    assert broker.retained(STATUS) == "offline"


def test_messages_that_are_no_lines_are_refused_and_told(broker, folder):
    async def talk(server):
        client = server.client()
        await within(client.connect())
        down = "pb_link/pump/down"
        for bad in (b"two\nlines", b"\xff\xfe", b"x" * 8193):
            await in_thread(broker.publish, down, bad)
        await in_thread(broker.publish, down, b"y" * 200000)  # the broker keeps it: more than Maximum Packet Size
        await in_thread(broker.publish, down, "x" * 8192)
        await in_thread(broker.publish, "pb_link/nobody/down", "for nobody")
        assert await within(client.expect(1)) == ["x" * 8192 + "\n"]
        for _ in range(30):
            await in_thread(broker.publish, down, b"\n\n")
        await until_async(lambda: server.metric("mqtt_refused_total"), 33)
        client.cut()

    with GatewayServer(folder, broker.port, "pump") as server:
        subscribed(broker, DOWN)
        asyncio.run(talk(server))
        told = server.log("mqtt_refused")
    reasons = [one["reason"] for one in told[:3]]
    assert "inner newline" in reasons[0] and "not UTF-8" in reasons[1] and "8193 bytes" in reasons[2]
    assert all(one["client"] == "pump" for one in told) and len(told) == 10


def test_retained_message_is_no_line_for_every_restart(broker, folder):
    async def look(server):
        client = server.client()
        await within(client.connect())
        await in_thread(broker.publish, "pb_link/pump/down", "now")
        assert await within(client.expect(1)) == ["now\n"]
        client.cut()

    broker.publish("pb_link/pump/down", "old", "-r")
    with GatewayServer(folder, broker.port, "pump") as server:
        subscribed(broker, DOWN)
        asyncio.run(look(server))


def test_ids_with_characters_of_topics_have_topics_of_their_own(broker, folder):
    ids = ["a/b", "a+", "#", "50%", "n\N{LATIN SMALL LETTER U WITH DIAERESIS}\x00"]
    levels = ["a%2Fb", "a%2B", "%23", "50%25", "n\N{LATIN SMALL LETTER U WITH DIAERESIS}%00"]

    async def talk(server, watcher):
        for client_id, level in zip(ids, levels, strict=True):
            client = server.client(client_id)
            await within(client.connect())
            await client.write(client_id.encode().hex())
            await in_thread(broker.publish, f"pb_link/{level}/down", "for " + level)
            assert await within(client.expect(1)) == [f"for {level}\n"]
            client.cut()
        await in_thread(watcher.wait_for, lambda seen: len(seen) == len(ids), "the lines")

    with broker.watch("pb_link/+/up") as watcher, GatewayServer(folder, broker.port, *ids) as server:
        subscribed(broker, *(f"pb_link/{level}/down" for level in levels))
        asyncio.run(talk(server, watcher))
        expected = [(f"pb_link/{level}/up", one.encode().hex()) for one, level in zip(ids, levels, strict=True)]
        assert [one[:2] for one in watcher.messages] == expected


def test_announcement_becomes_a_message_that_home_assistant_finds(broker, folder):
    announcement = '{"announce": "sensor", "id": "t1", "name": "Boiler", "value": "t", "unit_of_measurement": "K"}'

    async def announce(server, watcher):
        client = server.client()
        await within(client.connect())
        await client.write(announcement)
        await client.write('{"announce": "sensor", "id": "no good"}')
        await client.write('{"t": 300.5}')
        await in_thread(watcher.wait_for, lambda seen: len(seen) == 2, "the lines")
        found = broker.retained("homeassistant/#")
        assert broker.retained("pb_link/pump/state/t1") == "300.5"
        await client.write('{"announce": "sensor", "id": "t1", "remove": true}')
        await client.write("end")
        await in_thread(watcher.wait_for, lambda seen: len(seen) == 3, "the last line")
        client.cut()
        return json.loads(found)

    with broker.watch("pb_link/+/up") as watcher, GatewayServer(folder, broker.port, "pump") as server:
        found = asyncio.run(announce(server, watcher))
        assert server.wait_for_log("mqtt_refused")["reason"] == "id must be 1 to 32 of A-Za-z0-9_-"
    assert found["state_topic"] == "pb_link/pump/state/t1" and found["availability_topic"] == STATUS
    assert found["name"] == "Boiler" and found["unit_of_measurement"] == "K"
    assert watcher.texts() == ['{"announce": "sensor", "id": "no good"}', '{"t": 300.5}', "end"]
    assert broker.retained("homeassistant/#") is broker.retained("pb_link/pump/state/#") is None


def test_application_may_not_read_what_the_gateway_reads(broker, folder):
    text = (
        "from server import client_conn\nclass App:\n    async def run(self):\n"
        "        print(await (await client_conn('{}')).readline())\n"
    )
    (folder / "app.py").write_text(text.format("pump"))
    with GatewayServer(folder, broker.port, "pump", top='app = "app:App"') as server:

        async def come():
            client = server.client()
            await within(client.connect())
            status = await in_thread(server.wait)
            client.cut()
            return status

        assert asyncio.run(come()) == 1
        assert "the lines of pump are read by the MQTT gateway" in server.log("failed")[0]["error"]


def test_application_reads_the_clients_that_the_gateway_leaves(broker, folder):
    async def come(server, watcher):
        pump, valve = server.client("pump"), server.client("valve")
        await within(pump.connect())
        await within(valve.connect())
        await pump.write("for the application")
        await valve.write("for MQTT")
        assert await within(pump.expect(1)) == ["had for the application\n"]
        await in_thread(watcher.wait_for, lambda seen: len(seen) == 1, "the line")
        pump.cut()
        valve.cut()

    (folder / "app.py").write_text(
        "from server import client_conn\nclass App:\n    async def run(self):\n"
        "        conn = await client_conn('pump')\n        async for line in conn.lines():\n"
        "            await conn.write('had ' + line)\n"
    )
    server = GatewayServer(folder, broker.port, "pump", "valve", top='app = "app:App"', more='clients = ["valve"]')
    with broker.watch("pb_link/+/up") as watcher, server:
        asyncio.run(come(server, watcher))
        assert watcher.messages == [("pb_link/valve/up", "for MQTT", 0)]


def test_clients_come_and_go_with_their_keys(broker, folder):
    with GatewayServer(folder, broker.port, "pump") as server:
        server.wait_for_log("mqtt_connected")
        assert server.run("keys", "add", "valve").returncode == 0
        server.wait_for_log("mqtt_connected", 2)
        assert server.run("keys", "revoke", "pump").returncode == 0
        with broker.watch(STATUS) as watcher:
            watcher.wait_for(lambda seen: (STATUS, "offline", None) in seen, "offline")
            server.wait_for_log("keys_read", 2)
        assert server.end() == 0
        assert not server.log("failed") and not server.log("mqtt_lost")


def test_refused_publication_is_not_taken_for_an_acknowledged_one(folder):
    """The broker allows the status and not the lines; then it allows them."""
    rules = "user watcher\ntopic read #\nuser pump\ntopic write pb_link/pump/status\ntopic read pb_link/pump/down\n"
    access = folder / "access"
    access.write_text(rules)
    passwords = folder / "passwords"
    subprocess.run([mosquitto.tool("mosquitto_passwd"), "-c", "-b", passwords, "pump", "se cret"], check=True)
    subprocess.run([mosquitto.tool("mosquitto_passwd"), "-b", passwords, "watcher", "x"], check=True)
    secret = folder / "secret"
    secret.write_text("se cret\n")
    secret.chmod(0o600)
    more = f"allow_anonymous false\nacl_file {access}\npassword_file {passwords}"

    async def write(server):
        client = server.client()
        await within(client.connect())
        for number in range(10):
            await client.write(str(number))
        await within(client.acknowledged())
        await in_thread(server.wait_for_log, "mqtt_lost")
        client.cut()

    with Mosquitto(folder / "broker", more, ["-u", "watcher", "-P", "x"]) as broker:
        options = 'username = "pump"\npassword_file = "secret"'
        with GatewayServer(folder, broker.port, "pump", more=options) as server:
            asyncio.run(write(server))
            why = server.log("mqtt_lost")[0]["error"]  # Mosquitto says why, and closes: this may overtake that
            assert "refused a publication to pb_link/pump/up: Not authorized" in why or "has not said why" in why
            access.write_text(rules + "topic write pb_link/pump/up\n")
            with broker.watch("pb_link/#", "watcher") as watcher:
                watcher.wait_for(lambda seen: seen, "the status")
                broker.stop()
                broker.start()
                lines = [str(number) for number in range(10)]
                watcher.wait_for(lambda _: list(dict.fromkeys(watcher.texts("pb_link/pump/up"))) == lines, "lines")
        assert "se cret" not in (folder / "log.txt").read_text()


def test_wrong_password_is_told_without_it(folder):
    passwords = folder / "passwords"
    subprocess.run([mosquitto.tool("mosquitto_passwd"), "-c", "-b", passwords, "pump", "right"], check=True)
    with Mosquitto(folder / "broker", f"allow_anonymous false\npassword_file {passwords}") as broker:
        server = GatewayServer(folder, broker.port, "pump", more='username = "pump"')
        server.environment["PB_LINK_MQTT_PASSWORD"] = "wrong horse"
        checked = server.run("check")
        assert checked.returncode == 1 and "mqtt: " in checked.stdout and "Not authorized" in checked.stdout
        with server:
            assert "Not authorized" in server.wait_for_log("mqtt_lost", 2)["error"]
        server.environment["PB_LINK_MQTT_PASSWORD"] = "right"
        assert "mqtt: good\n" in server.run("check").stdout
        assert "wrong horse" not in (folder / "log.txt").read_text() + checked.stdout + checked.stderr


def test_tls_verifies_the_broker_and_shows_our_certificate(folder, missing_tool):
    if mosquitto.tool("openssl") is None:
        missing_tool("no openssl: sudo apt-get install -y openssl")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        [mosquitto.tool("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=a",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    more = f"allow_anonymous true\ncertfile {certificate}\nkeyfile {key}"
    more += f"\ncafile {certificate}\nrequire_certificate true"

    async def talk(server, broker):
        client = server.client()
        await within(client.connect())
        await in_thread(broker.publish, "pb_link/pump/down", "secretly")
        assert await within(client.expect(1)) == ["secretly\n"]
        await client.write("x" * 8192)
        await until_async(lambda: server.metric("mqtt_published_total"), 1)
        client.cut()

    ours = 'tls = true\nca_file = "cert.pem"\ncert_file = "cert.pem"\nkey_file = "key.pem"'
    options = ["--cafile", certificate, "--cert", certificate, "--key", key]
    with Mosquitto(folder / "broker", more, options) as broker:
        with GatewayServer(folder, broker.port, "pump", more=ours) as server:
            subscribed(broker, DOWN)
            asyncio.run(talk(server, broker))
            assert server.end() == 0
        text = Path(folder / "pb_link.toml").read_text()
        (folder / "pb_link.toml").write_text(text.replace('ca_file = "cert.pem"', ""))
        checked = server.run("check")
        assert checked.returncode == 1 and "certificate verify failed" in checked.stdout, checked
        os.unlink(certificate)
        (folder / "pb_link.toml").write_text(text)
        assert "no TLS with" in server.run("check").stdout


def test_two_gateways_on_one_broker_have_prefixes_of_their_own(broker, folder):
    async def talk(first, second):
        clients = [server.client() for server in (first, second)]
        for client, prefix in zip(clients, ("pb_link", "site/two"), strict=True):
            await within(client.connect())
            await in_thread(broker.publish, f"{prefix}/pump/down", prefix)
        for client, prefix in zip(clients, ("pb_link", "site/two"), strict=True):
            await until(lambda client=client: client.lines, "the line")
            assert client.lines == [prefix + "\n"]
            client.cut()

    for name in ("1", "2"):
        (folder / name).mkdir()
    with GatewayServer(folder / "1", broker.port, "pump") as first:
        with GatewayServer(folder / "2", broker.port, "pump", more='prefix = "site/two"') as second:
            subscribed(broker, DOWN, "site/two/pump/down")
            asyncio.run(talk(first, second))
