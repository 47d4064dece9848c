"""A network of the test's own: each node is a machine with an address, on a wire that can be pulled and slowed.

    node's namespace, 198.18.N.2 --- veth --- bridge, 198.18.N.1: the proxies, and all else of the test

A wire that is pulled loses packets without a word, as a switch does that has lost power: no end is told, and both
kernels send again. Needs root and Linux with network namespaces, veth, bridge and tbf. The addresses are of the range
for benchmarks (RFC 2544), so that no real network is hidden.
"""

import socket
import subprocess
from contextlib import suppress

NETWORKS = 512  # of 256 addresses each, in 198.18.0.0/15
SLOW = ("rate", "400kbit", "burst", "4kb", "latency", "500ms")


class Network:
    """Args: count: of wires. Raises: OSError: this user, or this system, cannot have one."""

    def __init__(self, count):
        self._number, self._claim = _claimed()
        self._bridge = f"pbl{self._number}"
        self.address = self._address(1)  # of the test's own end
        self.wires = [Wire(f"{self._bridge}n{index}", self._address(2 + index)) for index in range(count)]
        self.remove(keep=True)  # what a run that was killed has left
        try:
            _ip("link", "add", self._bridge, "type", "bridge")
            _ip("address", "add", f"{self.address}/24", "dev", self._bridge)
            _ip("link", "set", self._bridge, "up")
            for wire in self.wires:
                wire.make(self._bridge)
        except OSError:
            self.remove()
            raise

    def _address(self, host):
        return f"198.{18 + self._number // 256}.{self._number % 256}.{host}"

    @staticmethod
    def why_not():
        """Returns "" if there can be one here, or why not."""
        try:
            network = Network(1)
        except OSError as error:
            return f"no network of its own: {error}"
        try:
            network.wires[0].slow()
        except OSError as error:
            return f"no network that can be slowed: {error}"
        finally:
            network.remove()
        return ""

    def remove(self, keep=False):
        """Args: keep: the number stays this one's."""
        for wire in self.wires:
            wire.remove()
        with suppress(OSError):
            _ip("link", "delete", self._bridge)
        if not keep:
            self._claim.close()


class Wire:
    """Args: name: of the namespace, and of the bridge's end of the wire; address: of the node's end."""

    def __init__(self, name, address):
        self.address = address
        self._name = name
        self._bridge = None

    def make(self, bridge):
        self._bridge = bridge
        _ip("netns", "add", self._name)
        _ip("link", "add", self._name, "type", "veth", "peer", "name", "wire", "netns", self._name)
        self._there("address", "add", f"{self.address}/24", "dev", "wire")
        self._there("link", "set", "wire", "up")
        self._there("link", "set", "lo", "up")
        _ip("link", "set", self._name, "up", "master", bridge)

    def command(self, words):
        """Returns what runs a command (list) at the node's end, as the process that is begun."""
        return ["ip", "netns", "exec", self._name, *words]

    def pull(self):
        """All packets are lost, both ways."""
        _ip("link", "set", self._name, "nomaster")

    def plug(self):
        """Packets pass, at full speed."""
        _ip("link", "set", self._name, "master", self._bridge)
        for where in ((), ("-netns", self._name)):
            with suppress(OSError):  # it was not slow
                _run("tc", *where, "qdisc", "delete", "dev", "wire" if where else self._name, "root")

    def slow(self):
        """Packets pass as fast as SLOW says, both ways, and are lost where they are too many."""
        _run("tc", "qdisc", "replace", "dev", self._name, "root", "tbf", *SLOW)
        _run("tc", "-netns", self._name, "qdisc", "replace", "dev", "wire", "root", "tbf", *SLOW)

    def remove(self):
        for words in (("link", "delete", self._name), ("netns", "delete", self._name)):
            with suppress(OSError):
                _ip(*words)

    def _there(self, *words):
        _ip("-netns", self._name, *words)


def _claimed():
    """Returns (number of a network that no other process of this machine has, what holds it until it is closed)."""
    for number in range(NETWORKS):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0pb_link_network_{number}")
        except OSError:
            claim.close()
            continue
        return number, claim
    raise OSError(1, f"{NETWORKS} networks are in use")


def _ip(*words):
    _run("ip", *words)


def _run(*words):
    """Raises: OSError: the command is not there, or says why it cannot."""
    try:
        subprocess.run(words, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise OSError(1, f"{' '.join(words)}: {error.stderr.strip()}") from error
