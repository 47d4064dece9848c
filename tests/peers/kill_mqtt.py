"""Kills of the gateway's server and of Mosquitto under traffic both ways: what got lost, came twice or out of order.

Usage: python3 -m tests.peers.kill_mqtt [--what server|broker-kill|broker-stop|all] [--times 50] [--seed 1]

The lines of three clients go up to a mosquitto_sub whose session outlives everything; mosquitto_pub publishes for them.
A killed Mosquitto may forget what it has acknowledged since it last saved: a Recorder between it and the gateway tells
that (`forgotten_by_broker`) from what the gateway loses (`lost`).
"""

import argparse
import asyncio
import collections
import json
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.peers.gateway import GatewayServer
from tests.peers.kill_server import Endless
from tests.peers.mosquitto import Mosquitto
from tests.peers.mqtt_recorder import Recorder
from tests.server.peer import until
from tests.sessions import idle

IDS = ("a", "b/c", "d")
LEVELS = {"a": "a", "b/c": "b%2Fc", "d": "d"}
ACTIONS = ("server", "broker-kill", "broker-stop")
LATEST_S = 1.5  # between two kills
AWAY_S = 0.7  # what was killed stays away for so long at most
PATIENCE_S = 90
SETTLE_S = 0.5  # for a line too many to arrive


class Publisher:
    """Publishes "d0", "d1", .. for each client, until it is stopped."""

    def __init__(self, broker):
        self._broker = broker
        self.count = 0
        self.again = 0  # attempts beyond the first one: the broker may have had each of these
        self.stopped = False

    async def run(self):
        while not self.stopped:
            for client_id in IDS:
                topic = f"pb_link/{LEVELS[client_id]}/down"
                attempts = await asyncio.to_thread(self._broker.publish, topic, f"d{self.count}")
                self.again += attempts - 1
            self.count += 1


async def torment(folder, actions, rng, show=lambda number: None):
    """Do the actions, one after the other. Returns counts."""
    with Mosquitto(Path(folder) / "broker") as broker:
        async with Recorder(broker.port) as recorder:
            with broker.watch("pb_link/+/up", "watcher") as watcher:
                with GatewayServer(folder, recorder.port, *IDS) as server:
                    clients = [server.client(client_id, Endless) for client_id in IDS]
                    await until(lambda: broker.subscribed(*map(_down, clients)), "the subscriptions", PATIENCE_S)
                    living = [asyncio.create_task(client.live()) for client in clients]
                    publisher = Publisher(broker)
                    publishing = asyncio.create_task(publisher.run())
                    try:
                        for number, action in enumerate(actions):
                            await asyncio.sleep(rng.uniform(0, LATEST_S))
                            await _do(action, server, broker, rng.uniform(0, AWAY_S))
                            show(number + 1)
                        publisher.stopped = True
                        await publishing
                        for client in clients:
                            client.stopped = True
                        forgetful = "broker-kill" in actions
                        await until(lambda: _quiet(clients, recorder, publisher, forgetful), "the rest", PATIENCE_S)
                        if not forgetful:
                            await until(lambda: _has_seen_the_last(watcher, clients), "the watcher", PATIENCE_S)
                        await asyncio.sleep(SETTLE_S)
                    finally:
                        for task in (*living, publishing):
                            task.cancel()
                        for client in clients:
                            client.cut()
            return _verdict(clients, recorder, publisher, watcher)


async def _do(action, server, broker, away_s):
    if action == "server":
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(away_s)
        server.start()
    else:
        await asyncio.to_thread(broker.stop, signal.SIGKILL if action == "broker-kill" else signal.SIGTERM)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(broker.start)


def _up(client):
    return f"pb_link/{LEVELS[client.client_id]}/up"


def _down(client):
    return f"pb_link/{LEVELS[client.client_id]}/down"


def _quiet(clients, recorder, publisher, forgetful):
    """True if everything that must arrive has arrived."""
    last = f"d{publisher.count - 1}"
    return all(
        client.up
        and idle(client.session)
        and (_up(client), f"c{client.count - 1}") in recorder.up
        and (forgetful or last + "\n" in client.lines)
        for client in clients
    )


def _has_seen_the_last(watcher, clients):
    """True if the watcher, which is a process and need not keep up, has seen the last line of each client."""
    return all(f"c{client.count - 1}" in watcher.texts(_up(client)) for client in clients)


def _verdict(clients, recorder, publisher, watcher):
    seen = collections.defaultdict(list)
    numbers = {}
    result = collections.Counter(lost=0, reordered=0, renumbered=0, forgotten_by_broker=0)
    for topic, text, number in watcher.messages:
        seen[topic].append(text)
        result["renumbered"] += numbers.setdefault((topic, number), text) != text
    for client in clients:
        up = [f"c{number}" for number in range(client.count)]
        down = [f"d{number}" for number in range(publisher.count)]
        got = [line[:-1] for line in client.lines]
        result["up"] += len(up)
        result["down"] += len(down)
        result["lost"] += sum((_up(client), text) not in recorder.up for text in up)
        result["lost"] += sum(text not in got for topic, text in recorder.down if topic == _down(client))
        result["reordered"] += list(recorder.first[_up(client)]) != up
        result["reordered"] += list(dict.fromkeys(got)) != [text for text in down if text in got]
        result["forgotten_by_broker"] += len(set(up) - set(seen[_up(client)])) + len(set(down) - set(got))
        result["up_twice"] += len(seen[_up(client)]) - len(set(seen[_up(client)]))
        result["down_twice"] += len(got) - len(set(got))
    result["up_published_again"] = recorder.published_again
    result["down_with_dup"] = recorder.repeated
    result["down_published_again"] = publisher.again
    return dict(result)


def run(actions, seed, show=lambda number: None):
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(torment(folder, actions, random.Random(seed), show))


def _show(number):
    print(f"\r{number} ", end="", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--what", choices=(*ACTIONS, "all"), default="all")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    bad = 0
    for what in ACTIONS if options.what == "all" else [options.what]:
        begin = time.monotonic()
        result = run([what] * options.times, options.seed, _show)
        result.update(what=what, times=options.times, seconds=round(time.monotonic() - begin, 1))
        print(json.dumps(result))
        bad += result["lost"] + result["reordered"] + result["renumbered"]
        bad += result["forgotten_by_broker"] if what != "broker-kill" else 0
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
