"""The module `socket` of the ESP8266 in virtual time, as MicroPython's modlwip has it, over sim/virtual/network.py.

It models how this module differs from other sockets: who learns how a connect ended, empty writes, writes for which
there is no memory, names that nobody resolves, options of a socket that has failed.
"""

import asyncio
import socket as real
from errno import ECONNRESET, EHOSTUNREACH, EINPROGRESS, ENOMEM, ENOTCONN

from sim.virtual.chips import module
from sim.virtual.tcp import NO_MEMORY
from sim.virtual.world import BoardDied
from sim.wires.lwip import (
    DNS_GIVES_UP_S,
    DNS_PORT,
    EAGAIN,
    EAI_NONAME,
    MEM_PAUSE_MS,
    MEM_TRIES,
    TCP_PCBS,
)  # fmt: skip

NEW, CONNECTING, CONNECTED, PEER_CLOSED, FAILED, CLOSED = range(6)
CALL_US = 1000  # connect() polls the system once
UDP_BYTES = 1472


def error(number):
    """Returns the equivalent of MicroPython's OSError(number): the number is in `errno`."""
    return OSError(number, f"errno {number}")


def is_numeric(host):
    parts = host.split(".")
    return len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)


def socket_module(life, network, crash):
    """Returns the module `socket`. Args: network: network.Network; crash(): the chip's reaction when a program writes
    through a null pointer."""
    open_sockets = []

    def make(family=real.AF_INET, kind=real.SOCK_STREAM, protocol=0):
        if kind == real.SOCK_DGRAM:
            return Datagrams(life, network)
        if len(open_sockets) >= TCP_PCBS:
            raise error(ENOMEM)
        made = Socket(life, network, crash, open_sockets.remove)
        open_sockets.append(made)
        return made

    def getaddrinfo(host, port, *constraints):
        address = host
        if not is_numeric(host):
            address = network.address_of(host)
            life.block(2e6 * network.delay_s if network.answers_names else 1e6 * DNS_GIVES_UP_S)
            if address is None or not network.answers_names:
                raise error(EAI_NONAME)
        return [(real.AF_INET, real.SOCK_STREAM, 0, "", (address, port))]

    return module(
        "socket",
        socket=make,
        getaddrinfo=getaddrinfo,
        AF_INET=real.AF_INET,
        SOCK_STREAM=real.SOCK_STREAM,
        SOCK_DGRAM=real.SOCK_DGRAM,
        IPPROTO_TCP=real.IPPROTO_TCP,
        TCP_NODELAY=real.TCP_NODELAY,
    )


class _Waiters:
    """Tasks of the program that wait for an event on a socket."""

    def __init__(self):
        self._waiting = []

    async def until(self, condition):
        while not condition():
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter

    def wake(self):
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)


class Socket:
    """A TCP socket. It never waits, because the bridge's does not."""

    def __init__(self, life, network, crash, forget):
        self._life = life
        self._network = network
        self._crash = crash
        self._forget = forget
        self._state = NEW
        self._errno = 0
        self._connection = None
        self._no_delay = False
        self._changed = _Waiters()
        life.board.at_death(self._vanish)

    def _vanish(self):
        if self._connection is not None:
            self._connection.leave("bridge")
            self._connection = None

    # Called by lwIP

    def connected(self, connection):
        """Notes that the connection is open."""
        self._state = CONNECTED
        self._connection = connection
        connection.down.on_data = connection.up.on_room = self._changed.wake
        connection.on_bridge_reset = self.failed
        connection.up.no_delay = self._no_delay
        self._changed.wake()

    @property
    def connecting(self):
        return self._life.alive and self._state == CONNECTING

    def failed(self, number=ECONNRESET):
        if self._connection is not None:
            self._connection.leave("bridge")
        self._connection = None
        self._state = FAILED
        self._errno = number
        self._changed.wake()

    # Called by programs

    def setblocking(self, on):
        if on:
            raise NotImplementedError("sockets that block")

    def connect(self, address):
        host, port = address
        if not is_numeric(host):
            raise ValueError("invalid arguments")
        if not self._network.up:
            raise error(EHOSTUNREACH)
        self._state = CONNECTING
        self._network.open(self, host, port)
        self._life.block(CALL_US)
        if self._state == CONNECTING:
            raise error(EINPROGRESS)
        if self._state == FAILED:
            raise error(self._errno)

    def setsockopt(self, level, option, value):
        if self._state in (FAILED, CLOSED):  # through a null pointer
            self._crash()
            raise BoardDied
        if (level, option) == (real.IPPROTO_TCP, real.TCP_NODELAY):
            self._no_delay = bool(value)
            if self._connection is not None:
                self._connection.up.no_delay = self._no_delay

    def send(self, data):
        n = self._send(data)
        if n is None:
            raise error(EAGAIN)
        return n

    def write(self, data):
        """Writes. An empty write does not reach the socket: it returns 0 in any state. None: there is no room now."""
        done = 0
        while done < len(data):
            n = self._send(data[done:])
            if n is None:
                return done or None
            done += n
        return done

    def _send(self, data):
        """Sends data. Returns None if there is no room. Raises: OSError."""
        if self._state in (FAILED, CLOSED):
            raise error(self._errno or ENOTCONN)
        if self._state in (NEW, CONNECTING):
            return None
        up = self._connection.up
        room = up.room
        if room == 0:
            return None
        for _ in range(MEM_TRIES):
            n = NO_MEMORY if self._network.no_memory else up.write(data[:room])
            if n != NO_MEMORY:
                return n
            if not self._network.no_memory:
                self._network.overfull += 1
            self._life.block(1000 * MEM_PAUSE_MS)
            if self._connection is None:
                raise error(self._errno)
        raise error(ENOMEM)

    def readinto(self, buf):
        """Reads into the buffer. Returns None if there is nothing yet, 0 at the end."""
        if self._state in (FAILED, CLOSED):
            raise error(self._errno or ENOTCONN)
        if self._state in (NEW, CONNECTING):
            return None
        down = self._connection.down
        if not down.received:
            return 0 if down.at_end else None
        data = down.read(len(buf))
        buf[: len(data)] = data
        return len(data)

    async def readable(self):
        await self._changed.until(self._is_readable)

    async def writable(self):
        await self._changed.until(self._is_writable)

    def _is_readable(self):
        if self._state in (NEW, FAILED, CLOSED):
            return True
        down = self._connection and self._connection.down
        return down is not None and bool(down.received or down.at_end)

    def _is_writable(self):
        if self._state in (NEW, FAILED, CLOSED):
            return True
        connection = self._connection
        return connection is not None and (connection.down.at_end or connection.up.room > 0)

    def close(self):
        if self._state == CLOSED:
            return
        self._state = CLOSED
        self._forget(self)
        connection, self._connection = self._connection, None
        self._changed.wake()
        if connection is None or not self._life.alive:
            return
        if connection.down.received:
            connection.abort("bridge")
        else:
            connection.up.end()
            connection.leave("bridge")


class Datagrams:
    """A UDP socket. It keeps one datagram; later ones are lost until it is read. Only the name server answers."""

    def __init__(self, life, network):
        self._life = life
        self._network = network
        self._incoming = None

    def setblocking(self, on):
        if on:
            raise NotImplementedError("sockets that block")

    def sendto(self, data, address):
        host, port = address
        if not is_numeric(host):
            raise ValueError("invalid arguments")
        if not self._network.up:
            raise error(EHOSTUNREACH)
        if port == DNS_PORT and host == self._network.name_server:
            self._network.ask(bytes(data), self._arrived)
        return len(data)

    def _arrived(self, data):
        if self._life.alive and self._incoming is None:
            self._incoming = data

    def readinto(self, buf):
        data, self._incoming = self._incoming, None
        if data is None:
            return None
        n = min(len(data), len(buf), UDP_BYTES)
        buf[:n] = data[:n]
        return n

    def close(self):
        pass
