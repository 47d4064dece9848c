"""The faults of bed *virtual*: methods of `Faults`, each of which injects one. The run's seed gives the randomness.

They act on parts, wires, segments and power, never on the code under test.
"""

import random

from sim.virtual.board import COALESCED, MISSED, SCHEDULER_DEPTH
from sim.virtual.memory import Shortage
from sim.wires import wifi
from sim.wires.wire import CUT, LOST, NACKED, REPEATED

MAX_OUTAGE_S = 8.0
MAX_AWAY_S = 9.0
BYTE_US = 22.5  # at 400 kHz


class I2CFaults:
    """Faults for the next transfers on the bus. It is asked before each one."""

    def __init__(self, link, chance):
        self._link = link
        self._random = chance
        self._next = []  # functions (read, size) -> tap or None
        self.always = None  # tap of the other transfers

    def add(self, make_tap):
        self._next.append(make_tap)

    def before_transfer(self, bus, read, size):
        bus.tap = self._next.pop(0)(read, size) if self._next else self.always

    def after_transfer(self, bus):
        bus.tap = None


class Faults:
    """All faults of one link. Args: link: VirtualLink; job: apps.Job."""

    def __init__(self, link, job, seed):
        self.link = link
        self.job = job
        self.world = link.world
        self.random = random.Random(f"{seed} faults")
        self.i2c = link.esp8266.faults = I2CFaults(link, self.random)
        self.injected = dict.fromkeys(FAULTS, 0)
        self._meddlers = []
        self._short = None
        self.allocations_failed = {"client": 0, "bridge": 0}

    def inject(self, name):
        self.injected[name] += 1
        self.world.trace("fault", name)
        FAULTS[name](self)

    def later(self, low_s, high_s, action, *args):
        self.world.after(self.random.uniform(low_s, high_s), action, *args)

    # The bridge.

    def bridge_kill(self):
        self.link.esp8266.crash()

    def bridge_brownout(self):
        """Takes the bridge's power away at some moment of the next transfer."""

        def tap(read, size):
            bytes_us = (size + 6) * BYTE_US
            self.later(0, bytes_us / 1e6, self.link.esp8266.crash)

        self.i2c.add(tap)

    def bridge_hang(self):
        """Makes the ESP8266's program compute endlessly, until the watchdog resets the chip."""
        self.link.bridge.busy_until = self.world.now + 3600

    def bridge_exception(self):
        """Raises an unexpected exception in the bridge's next transfer, or in the await of one of its tasks."""

        def tap(read, size):
            raise MemoryError("a fault")

        if self.link.bridge.loop is not None and self.random.random() < 0.5:
            self.link.bridge.raise_in_a_task(self.random, MemoryError("a fault"))
        else:
            self.i2c.add(tap)

    # Wi-Fi.

    def wifi_outage(self):
        self.link.esp8266.set_wifi(False)
        self.later(0.2, MAX_OUTAGE_S, self.link.esp8266.set_wifi, True)

    def wifi_password(self):
        """Changes the access point's password for a while; then it is corrected."""
        network = self.link.network
        network.ssid, network.password = "virtual", "another"
        self.wifi_outage()
        self.later(10, 30, self._forgive)

    def _forgive(self):
        network = self.link.network
        network.ssid = network.password = None
        self.link.esp8266.set_wifi(True)

    def wifi_late(self):
        """Makes the next association slow."""
        air = self.link.air
        air.assoc_s = 12.0
        self.wifi_outage()
        self.later(15, 25, setattr, air, "assoc_s", self.link.costs.assoc_s)

    def wifi_elsewhere(self):
        """Restarts the ESP8266 with another stored network, which does not lead to the server."""
        self.link.esp8266.station.store(wifi.ELSEWHERE)
        self.link.esp8266.crash()

    # The server.

    def server_restart(self):
        self.job.restart_listener()

    def server_kill(self):
        """Kills the server's process and starts another one with the same store."""
        self.link.kill_server()
        self.later(0.1, 5.0, self.back, self.link.server, self.link.start_server)

    # The client.

    def client_kill(self):
        self.link.kill_client()
        self.later(0.1, 5.0, self.back, self.link.client, self.link.start_client)

    def client_busy(self):
        """Puts the client's program into a long call, such as a write to a card. Its target answers meanwhile."""
        self.client_away(self.random.uniform(0.5, MAX_AWAY_S))

    def client_sleep(self):
        """Puts the client into light sleep: no program runs, and it is off the bus."""
        seconds = self.random.uniform(0.5, MAX_AWAY_S)
        for port in list(self.link.bus.ports):
            port.owner.sleep(seconds)
        self.client_away(seconds)

    def client_away(self, seconds):
        client = self.link.client
        client.busy_until = max(client.busy_until, self.world.now + seconds)

    @staticmethod
    def back(board, start):
        if board.loop is None:
            start()

    # Memory.

    def client_memory(self):
        """Makes one of the client's next allocations fail, and possibly some after it."""
        self._shortage(self.link.client, "client")

    def bridge_memory(self):
        self._shortage(self.link.bridge, "bridge")

    def _shortage(self, board, name):
        self.run_short(board, name, self.random.randrange(1, 300), self.random.choice((1, 1, 2, 5, 20)))

    def run_short(self, board, name, n, count):
        """Makes `count` allocations of the board fail, from its n-th on. Returns the Shortage."""
        self.end_shortage()
        self._short = Shortage(board, name, n, count, lambda frame: self._memory_failed(name, frame))
        return self._short

    def _memory_failed(self, name, frame):
        self.allocations_failed[name] += 1
        self.world.trace("fault", f"no memory in {frame.f_code.co_qualname}:{frame.f_lineno} of the {name}")

    def end_shortage(self):
        if self._short is not None:
            self._short.end()
            self._short = None

    def slow_client(self):
        self.job.lazy_until["client"] = self.world.now + self.random.uniform(1, 15)

    def slow_server(self):
        self.job.lazy_until["server"] = self.world.now + self.random.uniform(1, 15)

    # I2C.

    def _at_byte(self, said):
        """Makes the tap return `said(value)` at one byte of the next transfer."""

        def tap(read, size):
            at = self.random.randrange(size + 2)

            def once(address, reading, index, value):
                nonlocal at
                at -= 1
                return said(value) if at == -1 else value

            return once

        self.i2c.add(tap)

    def i2c_bitflip(self):
        self._at_byte(lambda value: value ^ 1 << self.random.randrange(8))

    def i2c_noise(self):
        """Replaces many bytes of some transfers with random values."""
        for _ in range(self.random.randrange(1, 6)):
            self.i2c.add(lambda read, size: self._noisy)

    def _noisy(self, address, reading, index, value):
        return self.random.randrange(256) if self.random.random() < 0.05 else value

    def i2c_lost(self):
        self._at_byte(lambda value: LOST)

    def i2c_repeated(self):
        self._at_byte(lambda value: REPEATED)

    def i2c_nack(self):
        self._at_byte(lambda value: NACKED)

    def i2c_cut(self):
        self._at_byte(lambda value: CUT)

    def i2c_absent(self):
        """Stops the target from answering to its address for a while."""
        ports = self.link.bus.ports
        for port in list(ports):
            address, port.address = port.address, 0x7F
            self.later(0.01, 1.0, setattr, port, "address", address)

    def i2c_stretch(self):
        """Makes the target hold the clock for longer than the controller waits."""
        for port in self.link.bus.ports:
            port.owner.stretch(self.random.choice((1000, 20000, 60000)))

    def scl_low(self):
        self._hold("scl")

    def sda_low(self):
        self._hold("sda")

    def _hold(self, name):
        net = self.link.nets[name]
        net.drive("fault", 0)
        self.later(0.001, 4.0, net.drive, "fault", None)

    def sda_stuck(self):
        """Makes a target hold sda as if it were sending, until it has seen 9 clocks, or for a long time."""
        stuck = StuckTarget(self.link.nets["scl"], self.link.nets["sda"])
        self.later(20, 40, stuck.let_go)

    # Interrupts and wires.

    def irq_lost(self):
        self._interrupts(lambda source: MISSED if self.random.random() < 0.7 else None)

    def irq_late(self):
        self._interrupts(lambda source: self.random.uniform(0, 0.2))

    def irq_coalesced(self):
        """Delays callbacks. An interrupt whose callback already waits adds no second one."""
        self._interrupts(lambda source: self.random.choice((COALESCED, 0.02)))

    def scheduler_full(self):
        """Fills the whole queue with callbacks of others for a while."""
        for board in (self.link.client, self.link.bridge):
            board.foreign_callbacks = SCHEDULER_DEPTH
            self.later(0.05, 1.5, setattr, board, "foreign_callbacks", 0)

    def syn_broken(self):
        self._broken(self.link.bridge)

    def ack_broken(self):
        self._broken(self.link.client)

    def weak_random(self):
        """Makes the client's generator give the same bytes after each boot from now on. The client boots twice."""
        self.link.client.random_repeats = True
        self.client_kill()
        self.later(6, 20, self.client_kill)

    def _broken(self, board):
        board.lose_interrupts = lambda source: None if source == "i2c" else MISSED
        self.later(2, 15, setattr, board, "lose_interrupts", None)

    def rst_broken(self):
        self.link.esp8266.break_rst(True)
        self.later(5, 40, self.link.esp8266.break_rst, False)

    def _interrupts(self, what):
        for board in (self.link.client, self.link.bridge):
            board.lose_interrupts = what
            self.later(0.5, 5, setattr, board, "lose_interrupts", None)

    def syn_noise(self):
        self._spikes("syn", 30)

    def ack_noise(self):
        self._spikes("ack", 30)

    def rst_noise(self):
        self._spikes("rst", 2)

    def _spikes(self, name, count):
        net = self.link.nets[name]
        for _ in range(self.random.randrange(1, count + 1)):
            when = self.world.now + self.random.uniform(0, 2)
            self.world.at(when, net.drive, "noise", 0)
            self.world.at(when + 1e-5, net.drive, "noise", None)

    # TCP.

    def tcp_reset(self):
        self.link.tcp.reset_all()

    def tcp_half_open(self):
        """Tells one end that the connection is gone, but not the other."""
        self.link.tcp.reset_all((self.random.choice(("bridge", "server")),))

    def tcp_stall(self):
        for connection in list(self.link.tcp.connections):
            connection.stall(self.random.uniform(0.1, 12))

    def lwip_memory(self):
        """Leaves lwIP no memory for data to be sent: a write does not return, and the watchdog may reset the chip."""
        self.link.tcp.no_memory = True
        self.later(0.05, 5.0, setattr, self.link.tcp, "no_memory", False)

    def dns_silent(self):
        """Stops the name server from answering."""
        self.link.tcp.answers_names = False
        self.later(0.5, 20, setattr, self.link.tcp, "answers_names", True)

    def tcp_duplicated(self):
        for connection in self.link.tcp.connections[-1:]:
            self.link.tcp.duplicate(connection, self.random.uniform(0.1, 12))

    # An attacker on the path, or on the bridge.

    def _meddle(self, change):
        """Applies `change(flow, segment) -> segment` to one of the next segments."""
        for connection in list(self.link.tcp.connections):
            connection.meddle = Meddler(connection, self.random.randrange(4), change)

    def tcp_altered(self):
        def change(flow, segment, past):
            changed = bytearray(segment)
            changed[self.random.randrange(len(changed))] ^= 1 << self.random.randrange(8)
            return bytes(changed)

        self._meddle(change)

    def tcp_dropped(self):
        self._meddle(lambda flow, segment, past: b"\0\0")

    def tcp_replayed(self):
        self._meddle(lambda flow, segment, past: segment + self.random.choice(past))

    def tcp_reordered(self):
        self._meddle(lambda flow, segment, past: segment[len(segment) // 2 :] + segment[: len(segment) // 2])

    def tcp_reflected(self):
        """Sends the bridge's own data back to the bridge, and the server's to the server."""

        def change(flow, segment, past):
            for connection in self.link.tcp.connections:
                other = connection.down if flow == "up" else connection.up
                other.received += segment
                if other.on_data is not None:
                    other.on_data()
            return segment

        self._meddle(change)

    def tcp_injected(self):
        def change(flow, segment, past):
            return segment + self.random.randbytes(self.random.randrange(1, 200))

        self._meddle(change)


class Meddler:
    """An attacker that lets some segments of a connection pass, and changes one."""

    def __init__(self, connection, wait, change):
        self._connection = connection
        self._wait = wait
        self._change = change
        self._past = []

    def __call__(self, flow, segment):
        self._past.append(segment)
        self._wait -= 1
        if self._wait >= 0 or not segment:
            return segment
        self._connection.meddle = None
        return self._change(flow, segment, self._past)


class StuckTarget:
    """A target that holds sda low until it has seen 9 rising edges of scl."""

    def __init__(self, scl, sda):
        self._scl, self._sda = scl, sda
        self._left = 9
        sda.drive(self, 0)
        scl.listen(self._clock)

    def _clock(self, net):
        if net.level:
            self._left -= 1
            if not self._left:
                self.let_go()

    def let_go(self):
        self._left = 0
        if self in self._sda.driven_low_by():
            self._sda.drive(self, None)
            self._scl.unlisten(self._clock)


_NAMES = """
    bridge_kill bridge_brownout bridge_hang bridge_exception wifi_outage wifi_password wifi_late wifi_elsewhere
    server_restart server_kill client_kill slow_client slow_server i2c_bitflip i2c_noise i2c_lost i2c_repeated
    i2c_nack i2c_cut i2c_absent i2c_stretch scl_low sda_low sda_stuck irq_lost irq_late irq_coalesced
    scheduler_full syn_broken ack_broken rst_broken syn_noise ack_noise rst_noise
    tcp_reset tcp_half_open tcp_stall tcp_duplicated tcp_altered tcp_dropped tcp_replayed
    tcp_reordered tcp_reflected tcp_injected weak_random client_busy client_sleep lwip_memory dns_silent
    client_memory bridge_memory
""".split()
FAULTS = {name.replace("_", "-"): getattr(Faults, name) for name in _NAMES}

# How long one fault and its consequences may keep the link from delivering: a wrong password for 30 s, two rounds of
# joining, a reset at the bounded rate, a connection. Many faults overlap, so the sum is generous.
RECOVERY_S = 120.0
