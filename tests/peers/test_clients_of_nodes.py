"""Two servers as processes on one PostgreSQL: what commands and metrics say of the clients and servers."""

import asyncio
import json
import signal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.peers.two_nodes import Nodes
from tests.server.peer import Client, within


@pytest.fixture
def nodes(tmp_path):
    with Nodes(tmp_path) as made:
        (tmp_path / "quiet").touch()
        yield made


def metrics(nodes, at):
    """Returns {name, or (name, label): value} of what has no client."""
    found = {}
    for family in text_string_to_metric_families(nodes.page(at, "/metrics")[1]):
        for one in family.samples:
            found[(one.name, *one.labels.values()) if one.labels else one.name] = one.value
    return found


def test_every_node_and_every_computer_tells_where_each_client_is(nodes):
    async def main():
        async def asked(*words):
            return await within(asyncio.to_thread(nodes.asked, *words))

        async def ask(*words):
            return json.loads(await asked(*words, "--json"))

        async def told(at, wanted):
            """Returns what a node says of the client, once it says that the client is there."""
            while True:
                found = (await ask("clients", "--config", f"node{at}.toml"))[0]
                if found["node"] == wanted:
                    return found

        async def measured(at, wanted):
            """Returns the metrics of a node, once it has these."""
            while True:
                found = await asyncio.to_thread(metrics, nodes, at)
                if wanted.items() <= found.items():
                    return found
                await asyncio.sleep(0.05)

        client = Client(nodes.ports[0])
        await within(client.connect())
        await client.write("x")
        await within(client.acknowledged())
        here = await within(told(0, "node0"))
        assert here["connected"] and here["peer"] and here["lines_received"] == 1 and here["connections"] == 1
        there = await within(told(1, "node0"))
        assert there["connected"] and there["connections"] == 1
        assert there["peer"] is there["lines_received"] is there["since"] is None
        assert await ask("clients", "--store", nodes.url) == [there]
        shown = (await asked("clients", "--store", nodes.url)).splitlines()[1]
        assert shown.split() == ["a", "?", "?", "1", "?", "?", "node0"]
        one, two = await ask("nodes", "--store", nodes.url)
        assert (one["name"], one["clients"], one["alive"]) == ("node0", 1, True)
        assert one["address"] == f"127.0.0.1:{nodes.ports[0]}"
        assert (two["name"], two["clients"], two["alive"]) == ("node1", 0, True)

        other = Client(nodes.ports[1])  # another life of it
        await within(other.connect())
        assert (await within(told(0, "node1")))["peer"] is None
        both = {("pb_link_node_clients", "node0"): 0, ("pb_link_node_clients", "node1"): 1, "pb_link_nodes": 2}
        await within(measured(1, {**both, "pb_link_taken_over_total": 0}))
        found = await within(measured(0, {**both, "pb_link_taken_over_total": 1}))
        assert found["pb_link_node_silent_seconds", "node1"] >= 0 and "pb_link_fenced_writes_total" in found

        nodes.signal(1, signal.SIGSTOP)
        found = await within(measured(0, {"pb_link_nodes": 1, ("pb_link_node_clients", "node1"): 0}))
        assert found["pb_link_node_silent_seconds", "node1"] > 4
        assert (await within(told(0, None)))["connections"] == 2
        assert [one["alive"] for one in await ask("nodes", "--config", "node0.toml")] == [True, False]
        assert (await asked("nodes", "--store", nodes.url)).count("gives no sign of life") == 1
        nodes.signal(1, signal.SIGKILL)
        assert (await ask("clients", "--config", "node1.toml"))[0]["connections"] == 2  # without a server there
        for one in (client, other):
            one.cut()

    asyncio.run(main())


@pytest.mark.parametrize("where", [(), ("--store", "postgresql://127.0.0.1:1/x")])
def test_clients_of_this_server_are_shown_while_the_database_is_away(nodes, where):
    path = nodes.folder / "node0.toml"
    path.write_text(path.read_text().replace(nodes.url, "postgresql://127.0.0.1:1/x"))
    with pytest.raises(AssertionError) as caught:
        nodes.asked("clients", "--config", str(path), *where)
    assert "cannot be reached" in str(caught.value)
    assert ("only the clients of this server are shown" in str(caught.value)) == (not where)
