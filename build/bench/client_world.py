"""The environment of client_program.py: the bridge, the server behind it and its application, in the client's process.

Nothing of it is counted. In an emulated board it has a heap of its own (build/chip/cortex_m4_c/worlds.c). So it makes
no object of the device larger.
"""

from i2c_devices.mailbox_controller import MailboxController
from primitives.platform import ticks_diff, ticks_ms
from protocol import control
from protocol.framing import PREFIX
from protocol.handshake import DONE
from protocol.mailbox import ADDRESS, CONTROL, DATA, HEADER
from protocol.responder import Responder
from protocol.sequence import put16
from protocol.session import OPEN, Session

_CONNECTION = 1


class World:
    """The bridge, the server behind it and its application.

    Args: bench: Bench of client_program.py; direction: up or down; line: str without its newline; key: bytes.
    """

    def __init__(self, bench, direction, line, key):
        self._bench = bench
        self._meter = bench.meter
        self._line = line.encode() if direction == "down" else None
        self._key = key
        self._box = MailboxController(self, ADDRESS, bytes)
        self._controls = []
        self._replies = []
        self._responder = Responder()
        self._session = Session(ticks_diff, ack_delay_ms=0)

    # machine.I2C

    def readfrom_mem_into(self, address, at, buf, addrsize):
        buf[:] = memoryview(self._bench.memory)[at : at + len(buf)]
        self._clocked(4 + len(buf))

    def writeto_mem(self, address, at, buf, addrsize):
        self._bench.memory[at : at + len(buf)] = buf
        self._clocked(3 + len(buf))

    def _clocked(self, count):
        self._meter.on_wire(count)
        self._bench.exchanges += 1

    def act(self):
        self._meter.leave()
        box = self._box
        box.poll()
        while box.can_fetch() and box.fetch():
            self._take(box.kind, bytes(box.payload))
            box.release()
        if box.synchronised:
            self._say()
            box.acknowledge()
        if self._line is None and self._bench.relayed >= self._bench.until:
            self._bench.done.set()
        self._meter.enter()

    def _take(self, kind, payload):
        if kind == CONTROL:
            self._controls.append(bytes((control.UP, _CONNECTION)))
            return
        frame = bytearray(payload[PREFIX:])
        if self._responder.state == "start":
            assert self._responder.hello(frame) is None
            self._replies.append(self._responder.challenge(self._key, bytes(8), bytes(16)))
        elif self._responder.state != DONE:
            assert self._responder.proof(frame) is None
            peer = self._responder
            self._session.attach(peer.seal, peer.peer_epoch, peer.peer_max_frame, ticks_ms())
        else:
            fault = self._session.receive(memoryview(frame), ticks_ms())
            assert fault is None, fault
            lines = self._session.lines
            self._bench.frames += bool(lines)
            while lines:
                self._bench.relayed += 1
                self._session.accept(1, ticks_ms())

    def _say(self):
        box, session = self._box, self._session
        if not box.can_send():
            return
        if self._controls:
            record = self._controls.pop(0)
            box.buffer[HEADER : HEADER + len(record)] = record
            box.send(CONTROL, 0, HEADER, len(record))
        elif self._replies:
            reply = self._replies.pop(0)
            start = HEADER + PREFIX
            put16(box.buffer, HEADER, len(reply))
            box.buffer[start : start + len(reply)] = reply
            box.send(DATA, _CONNECTION, HEADER, PREFIX + len(reply))
        else:
            while self._line and session.state == OPEN and session.room_for(len(self._line)):
                session.append(self._line, True)
            end = session.encode_into(box.buffer, HEADER, ticks_ms())
            if end > HEADER:
                self._bench.frames += self._line is not None
                box.send(DATA, _CONNECTION, HEADER, end - HEADER)
