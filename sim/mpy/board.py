"""One board: a MicroPython process, its pins, and the requests from its stand-ins."""

import asyncio
import errno
import os
import socket
import struct
import sys

from sim.mpy import frames, i2c_drive
from sim.mpy.board_target import BoardTarget
from sim.mpy.program_output import LINE_LIMIT, pass_on
from sim.wires.nets import ALT, IN, OPEN_DRAIN, OUT
from sim.wires.wire import Controller, Port

MODES = (IN, OUT, OPEN_DRAIN, ALT)
SHOWN_BYTES = 8  # of a transfer in a trace
MEASURE_S = 1  # within which a board says how much of its heap is free

EINVAL = 22


class Board:
    """A board: its pins by name, from the bed, and its process while that runs. `extras` maps further kinds of requests
    to functions (frame) -> None that reply themselves (a radio, a watchdog, resets)."""

    def __init__(self, bed, name, model, pins):
        self.bed = bed
        self.name = name
        self.model = model
        self.kind = model.kind
        self.pins = pins  # name -> BoardPin
        self.extras = {}
        self.sleep = None  # Sleep, of a kind of board that can
        self.link = None
        self.process = None
        self._killed = False
        self.alive = False
        self.life = 0
        self.on_line = None  # function(line), or None: its output goes to our own
        self.on_transfer = None  # function(text) for each transfer of its I2C controllers, or None
        self._handles = []
        self._triggers = {}
        self._listened = set()
        self._controllers = []
        self._targets = {}
        self._transfers = set()
        self._reader = None
        self._measured = None
        self._requests = {
            frames.PIN_OPEN: self._pin_open,
            frames.PIN_MODE: self._pin_mode,
            frames.PIN_WRITE: self._pin_write,
            frames.PIN_READ: self._pin_read,
            frames.PIN_IRQ: self._pin_irq,
            frames.I2C_OPEN: self._i2c_open,
            frames.I2C_TRANSFER: self._later(self._i2c_transfer),
            frames.I2C_PRIMITIVE: self._later(self._i2c_primitive),
            frames.TARGET_OPEN: self._target_open,
            frames.TARGET_CLOSE: self._target_close,
            frames.TARGET_ANSWER: self._target_answer,
            frames.MEASURED: self._take_measure,
        }

    # Its process.

    async def start(self, command_for_fd, cwd=None):
        """Starts the board's process. Args: command_for_fd(fd) -> list: its command line; fd is the link's file
        descriptor."""
        self._killed = False
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        fd = theirs.fileno()
        self._forget()
        if self.kind == "esp8266":
            self._handles = [self.pins.get(str(gpio)) for gpio in range(17)]
        try:
            self.process = await asyncio.create_subprocess_exec(
                *command_for_fd(fd),
                pass_fds=(fd,),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if self.on_line else None,
                stderr=asyncio.subprocess.STDOUT if self.on_line else None,
                limit=LINE_LIMIT,
                start_new_session=True,
                cwd=cwd,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            )
        finally:
            theirs.close()
        loop = asyncio.get_running_loop()
        _, self.link = await loop.create_connection(lambda: frames.FrameLink(self._request, self._lost), sock=ours)
        self.alive = True
        if self.on_line:
            self._reader = asyncio.ensure_future(pass_on(self.process.stdout, self.on_line))

    async def wait(self):
        """Returns the exit status, after the last line of output was passed on."""
        status = await self.process.wait()
        self._die()
        if self._reader is not None:
            await self._reader
            self._reader = None
        return status

    def kill(self):
        """Ends the process at once, at any point of its program: power off, or reset held."""
        # Once, and before its link ends, at which it ends by itself: to kill what has just ended takes its status away
        # from asyncio, which waits for it (subprocess.Popen.send_signal).
        if self.process is not None and self.process.returncode is None and not self._killed:
            self._killed = True
            try:
                self.process.kill()
            except ProcessLookupError:
                pass
        self._die()

    async def measure(self):
        """Returns the free heap in bytes after a collection, or None if the board does not answer."""
        if not self.alive:
            return None
        self._measured = asyncio.get_running_loop().create_future()
        self.link.send(frames.encode(frames.MEASURE))
        try:
            async with asyncio.timeout(MEASURE_S):  # wait_for of Python 3.11 may swallow a cancellation
                return await self._measured
        except TimeoutError:
            return None

    def _lost(self):
        self._die()

    def _die(self):
        """Removes everything that the chip drove or answered to. Pulls outside the chip remain."""
        if not self.alive:
            return
        self.alive = False
        self.life += 1
        for task in list(self._transfers):
            task.cancel()
        for pin in self.pins.values():
            pin.release()
        for controller in self._controllers:
            for net in (controller.bus.scl, controller.bus.sda):
                net.drive((self.name, "i2c"), None)
        self.leave_buses()
        self.link.close()
        self.bed.board_died(self)

    def _forget(self):
        self._handles.clear()
        self._triggers.clear()
        self._controllers.clear()
        self._targets.clear()

    # Its requests.

    def handle(self, number):
        """Returns the pin of a handle that the board has got."""
        return self._handles[number]

    def _request(self, frame):
        if not self.alive:
            return
        handler = self._requests.get(frame.kind) or self.extras.get(frame.kind)
        if handler is None:
            print(f"sim: {self.name} sent an unknown request {frame.kind}", file=sys.stderr)
            self.link.reply(frame, errno=EINVAL)
        else:
            handler(frame)

    def _later(self, handler):
        def begin(frame):
            task = asyncio.ensure_future(handler(frame))
            self._transfers.add(task)
            task.add_done_callback(self._transferred)

        return begin

    def _transferred(self, task):
        self._transfers.discard(task)
        if not task.cancelled() and task.exception() is not None:  # of a device's model; the board waits for a reply
            context = {"message": f"a request of the {self.name}", "exception": task.exception()}
            asyncio.get_running_loop().call_exception_handler(context)

    def _pin_open(self, frame):
        name = frame.payload.decode()
        pin = self.pins.get(self.model.other_names.get(name, name))
        if pin is None:
            self.link.reply(frame, errno=EINVAL)
            return
        if pin not in self._handles:
            self._handles.append(pin)
        self.link.reply(frame, self._handles.index(pin))

    def _pin_mode(self, frame):
        pin = self._handles[frame.a]
        pull = (None, 1, 0, 1)[frame.c & 3]
        mode = None if frame.b == 255 else MODES[frame.b]
        pin.configure(mode, pull, None if frame.d == 2 else frame.d)
        self._pins_moved(frame)

    def _pin_write(self, frame):
        pin = self._handles[frame.a]
        if pin.mode != IN or self.kind != "esp8266":  # that port drops what is written to an input, the others keep it
            pin.write(frame.b)
        self._pins_moved(frame)

    def _pins_moved(self, frame):
        """A program that moves the pins of a bus itself may clock a target. Then the target is asked first."""
        if self.bed.has_wants():
            self._later(self._after_wants)(frame)
        else:
            self.link.reply(frame)

    async def _after_wants(self, frame):
        await self.bed.serve_wants()
        self.link.reply(frame)

    def _pin_read(self, frame):
        self.link.reply(frame, self._handles[frame.a].read())

    def _pin_irq(self, frame):
        pin, handle = self._handles[frame.a], frame.a
        self._triggers[pin] = (frame.b, handle)
        if pin not in self._listened:
            self._listened.add(pin)
            pin.net.listen(lambda net: self._edge(pin, net))
        self.link.reply(frame)

    def _edge(self, pin, net):
        trigger, handle = self._triggers.get(pin, (0, 0))
        edge = 1 if net.level else 2
        if self.alive and trigger & edge:
            self.interrupt(frames.encode(frames.EDGE, handle, edge), of_a_pin=True)

    def interrupt(self, data, *, of_a_pin=False):
        """Sends an interrupt to the program. Args: data: its frame."""
        if self.sleep is None:
            self.link.send(data)
        else:
            self.sleep.interrupt(data, of_a_pin)

    def _i2c_open(self, frame):
        clock_hz, timeout_us = struct.unpack("<II", frame.payload)
        scl, sda = self._handles[frame.a], self._handles[frame.b]
        scl.configure(OPEN_DRAIN, None, 1)
        sda.configure(OPEN_DRAIN, None, 1)
        bus = self.bed.bus(scl.net, sda.net)
        clock_hz = self.bed.clock_hz or clock_hz
        self._controllers.append(Controller(bus, self.name, clock_hz=clock_hz, timeout_us=timeout_us))
        self.link.reply(frame, len(self._controllers) - 1)

    async def _run(self, controller, transfer):
        async with self.bed.lock(controller.bus):
            return await i2c_drive.drive(transfer, self.bed.clock(controller.bus))

    async def _i2c_transfer(self, frame):
        controller = self._controllers[frame.a]
        read, stop, memory = frame.c & 1, bool(frame.c & 2), frame.c & 4
        if not read:
            result = await self._run(controller, controller.write(frame.b, frame.payload, stop))
        else:
            result = None
            if memory:
                result = await self._run(controller, controller.write(frame.b, frame.payload, False))
            # As on the port, an address that is not fully acknowledged ends it without an error and without data.
            if not memory or result is not None and not result.errno and result.acks == len(frame.payload):
                result = await self._run(controller, controller.read(frame.b, frame.d, stop))
        if self.on_transfer is not None:
            self.on_transfer(_transfer_text(frame, read, memory, result))
        self._reply_result(frame, result)

    async def _i2c_primitive(self, frame):
        controller = self._controllers[frame.a]
        step = (
            controller.line_start,
            controller.line_stop,
            lambda: controller.line_write(frame.payload),
            lambda: controller.line_read(frame.d, bool(frame.c)),
        )[frame.b]()
        self._reply_result(frame, await self._run(controller, step))

    def _reply_result(self, frame, result):
        if result is not None and self.alive:
            self.link.reply(frame, result.acks, result.errno, b"" if result.errno else result.data)

    def _target_open(self, frame):
        address, scl, sda = struct.unpack("<HBB", frame.payload)
        self._detach(frame.a)
        pins = self._handles[scl], self._handles[sda]
        for pin in pins:
            # stm32 switches the pulls off, rp2 switches them on.
            pin.configure(ALT, 1 if self.kind == "rp2" else None)
        bus = self.bed.bus(pins[0].net, pins[1].net)
        port = Port(BoardTarget(self, frame.a), address)
        bus.attach(port)
        self._targets[frame.a] = (bus, port)
        self.link.reply(frame)

    def _target_close(self, frame):
        self._detach(frame.a)
        self.link.reply(frame)

    def _detach(self, id):
        if id in self._targets:
            bus, port = self._targets.pop(id)
            port.owner.vanish()
            bus.detach(port)

    def leave_buses(self):
        """Its targets answer no controller any more, not even one in the middle of a transfer."""
        for bus, port in self._targets.values():
            port.owner.vanish()
            bus.detach(port)

    def join_buses(self):
        """The opposite."""
        for bus, port in self._targets.values():
            bus.attach(port)

    def _target_answer(self, frame):
        if frame.a in self._targets:
            self._targets[frame.a][1].owner.answered(frame)

    def _take_measure(self, frame):
        if self._measured is not None and not self._measured.done():
            self._measured.set_result(frame.d)


def _transfer_text(frame, read, memory, result):
    """A transfer in words. Args: result: a Result, or None: the controller lost power during it."""
    where = f" {frame.b:#04x}" + (f" at {frame.payload.hex()}" if memory else "")
    size = frame.d if read else len(frame.payload)
    text = f"{'read' if read else 'write'}{where} {size} bytes"
    if result is None:
        return text + ": cut"
    if result.errno:
        return text + f": {errno.errorcode.get(result.errno, result.errno)}"
    data = result.data if read else frame.payload
    return f"{text}: {data[:SHOWN_BYTES].hex(' ')}{' ..' if len(data) > SHOWN_BYTES else ''}" if data else text
