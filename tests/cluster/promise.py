"""Compares what the clients and the applications of a cluster noted with the promise (docs/simulator.md).

Both ends write texts of which no two are equal. What the promise says, and is checked for each client and channel:

- A message that a life of the client knows to be accepted is read by an application. The messages of a life are read
  without a gap, in order, each once: the number of a message tells one that is read again, and is never another's.
- A message whose `write` has returned at a node is read by the client. A later one of any node, begun after `write` of
  this one had returned, comes after it. Each comes once, but for the last ones that a life had read when it ended:
  those that the server did not know to be accepted come again (Ledger).
- One whose `write` has failed, or never returned, may be missing. None of these comes twice either.
"""

import collections
from pathlib import Path

FAULTS = ("lost", "duplicated", "reordered", "corrupted")


class ApplicationLog:
    """What the nodes' applications have noted so far: see node.py. Reads on at each `read`."""

    def __init__(self, path):
        self._path = Path(path)
        self._at = 0
        self._line = 0
        self.got = collections.defaultdict(dict)  # (id, channel) -> {number: text}
        self.renumbered = 0  # numbers that were two messages'
        self.again = 0  # messages that were read again
        self.begun = collections.defaultdict(dict)  # (id, channel) -> {text: place in the log}
        self.done = collections.defaultdict(dict)
        self.failed = 0
        self.events = collections.Counter()
        self.fenced = 0  # clients that a node has lost, as it has found when it wrote
        self.failures = collections.Counter()  # why a store has failed otherwise
        self.takeovers = 0  # clients that have come to another node than they were at
        self._node = {}

    def read(self):
        if not self._path.exists():
            return
        with open(self._path, "rb") as file:
            file.seek(self._at)
            data = file.read()
        end = data.rfind(b"\n") + 1
        self._at += end
        for line in data[:end].decode().splitlines():
            self._line += 1
            word, node, *rest = line.split(" ")
            getattr(self, "_" + word)(node, *rest)

    def _got(self, node, client_id, channel, number, text):
        of, number = self.got[client_id, int(channel)], int(number)
        self.again += number in of
        self.renumbered += of.setdefault(number, text) != text

    def _begun(self, node, client_id, channel, text):
        self.begun[client_id, int(channel)][text] = self._line

    def _done(self, node, client_id, channel, text):
        self.done[client_id, int(channel)][text] = self._line

    def _failed(self, node, client_id, channel, text):
        self.failed += 1

    def _event(self, node, name, client_id, *words):
        self.events[name] += 1
        text = " ".join(words)
        fenced = name == "taken_over" or name == "store_failed" and "another owner" in text
        self.fenced += fenced
        if name == "store_failed" and not fenced:
            self.failures[text] += 1
        if name == "connected":
            host = node.partition("-")[0]
            self.takeovers += self._node.get(client_id, host) != host
            self._node[client_id] = host

    def read_by_application(self, client_id, channel):
        """Returns the texts that the applications have read, in the order of their numbers."""
        found = self.got[client_id, channel]
        return [found[number] for number in sorted(found)]


def verdict(log, devices, one_order=True):
    """Returns a Counter of FAULTS and of what was seen, and a list of (client, channel, what is wrong).

    one_order: False: messages of different processes have no order among each other."""
    log.read()
    total, wrong = collections.Counter(dict.fromkeys(FAULTS, 0)), []
    for device in devices:
        for channel, ledger in device.ledgers.items():
            of = device.client_id, channel
            found = _of_one(log, ledger, *of, one_order)
            total.update(found)
            if any(found[name] for name in FAULTS):
                counts = {name: found[name] for name in (*FAULTS, "lost_up") if found[name]}
                wrong.append((*of, counts, _places(log, ledger, *of)))
    if log.renumbered:
        wrong.append(("-", 0, {"renumbered": log.renumbered}))
    total["corrupted"] += log.renumbered
    return total, wrong


def _of_one(log, ledger, client_id, channel, one_order):
    """Returns a Counter for a client and channel."""
    begun, done = log.begun[client_id, channel], log.done[client_id, channel]
    ledger.server_read = log.read_by_application(client_id, channel)
    read = dict.fromkeys(_text(one) for life in ledger.lives for one in life.read)  # in order, each once
    ledger.server_written = [text for text in read if text in begun] + [text for text in begun if text not in read]
    ledger.unfinished = [text for text in begun if text not in done]
    lives = ledger.lives
    raw = [life.read for life in lives]
    for life in lives:
        life.read = [_text(one) for one in life.read]
    there, back = ledger.verdict()
    for life, before in zip(lives, raw):
        life.read = before  # the lists that go on growing
    counts = collections.Counter(messages=there["delivered"] + back["delivered"], seen_twice=ledger.seen_twice)
    counts["lost_up"] = there["lost"]
    counts["lives"] = len(lives) if channel == 0 else 0
    for name in FAULTS:
        counts[name] = there[name] + back[name]
    counts["lost"] += _gaps(ledger)
    counts["reordered"] += _overtaken(read, begun, done, one_order)
    counts["in_doubt"] = len(ledger.unfinished)
    return counts


def _places(log, ledger, client_id, channel):
    """Returns what to look for: {text: [who has read it]} of texts that were read twice. "up 7" is number 7 of those
    that the applications read, "life 2 at 5" the sixth that the third life has read."""
    places = collections.defaultdict(list)
    for number, text in sorted(log.got[client_id, channel].items()):
        places[text].append(f"up {number}")
    for number, life in enumerate(ledger.lives):
        for at, message in enumerate(life.read):
            places[_text(message)].append(f"life {number} at {at}")
    return {text.rstrip("."): found for text, found in places.items() if len(found) > 1}


def _text(message):
    """Returns the text of a line or message of the client."""
    return message[:-1] if isinstance(message, str) else bytes(message).decode()


def _gaps(ledger):
    """Returns how many messages that nobody knew to be accepted are missing in front of one that was read."""
    read = set(ledger.server_read)
    missing = 0
    for life in ledger.lives[:-1]:
        last = max((at for at, text in enumerate(life.written) if text in read), default=-1)
        missing += sum(text not in read for text in life.written[life.acknowledged : last + 1])
    return missing


def _overtaken(read, begun, done, one_order):
    """Returns how many messages came behind one that was begun when their `write` had returned."""
    latest, count = collections.defaultdict(lambda: -1), 0
    for text in read:
        if text not in begun:
            continue
        of = None if one_order else text.partition(".")[0]
        count += done.get(text, latest[of]) < latest[of]
        latest[of] = max(latest[of], begun[text])
    return count


def arrived(log, devices):
    """Returns how many messages have arrived at either end, to see whether there are more of them."""
    log.read()
    up = sum(len(numbers) for numbers in log.got.values())
    return up, sum(len(life.read) for device in devices for ledger in device.ledgers.values() for life in ledger.lives)


def complete(log, devices):
    """Whether everything that must arrive has arrived, and nothing is under way."""
    if any(device.life.waits_for() or not device.life.up for device in devices):
        return False
    found, _ = verdict(log, devices)
    return not found["lost"]
