"""A bus of virtual sensors in this process, on the real clock: `sim:FILE` of remote_i2c/providers.py.

FILE is that of `--sensors` (docs/simulator.md): its first bus, or with #NAME behind FILE that of this name. Sensors and
their faults are those of the simulated boards. A transfer is computed at once; only what lasts for a millisecond or
longer on the wires is waited for, such as a stretched clock.
"""

import asyncio
from errno import ENODEV

from remote_i2c.bus import SMBUS_BY_MESSAGES, SMBUS_COUNTED, SMBUS_QUICK, TRANSFER_MS, Bus
from remote_i2c.errors import BUS, closed, damaged, no_answer, stopped, timed_out
from remote_i2c.messages import MAX_BLOCK, check_address
from sim.wires.nets import Net
from sim.wires.pieces import Cut, Pause
from sim.wires.sensors.bus import SensorBus
from sim.wires.sensors.plan import FIRST_BUS, populate, read_plan
from sim.wires.sensors.world import SensorWorld
from sim.wires.wire import Controller

_SHORTEST_US = 1000  # that is waited for
# Clocks that free a target which was left in the middle of a byte. Source: NXP UM10204 rev 7.0, 3.1.16.
_CLOCKS = 9


def make_bus(argument, name):
    """Returns the SimulatedBus of "FILE" or "FILE#NAME". Raises: ValueError that says what is wrong."""
    file, _, bus = argument.partition("#")
    try:
        plan = read_plan(file)
    except OSError as error:
        raise ValueError(f"sim:{argument}: {file}: {error.strerror}") from None
    buses = list(plan.devices) or [FIRST_BUS]
    bus = bus or (FIRST_BUS if FIRST_BUS in buses else buses[0])
    if bus not in buses:
        raise ValueError(f"sim:{argument}: there is no bus {bus}, but {', '.join(buses)}")
    planned = plan.devices.get(bus, [])
    made = SimulatedBus(name, planned)
    made.world_of(lambda: 0.0, lambda when, callback: None)  # what is wrong with the plan is told now
    return made


class SimulatedBus(Bus):
    """Args: name: of the bus, for people; planned: list of Planned (sim/wires/sensors/plan.py). `sensors` is its
    SensorWorld once it is open, for tests."""

    functions = SMBUS_BY_MESSAGES | SMBUS_QUICK | SMBUS_COUNTED

    def __init__(self, name, planned=()):
        self.name = name
        self.sensors = None
        self._planned = planned
        self._controller = None
        self._turn = None

    def world_of(self, clock, at):
        """Returns a new SensorWorld as it is planned. Raises: ValueError."""
        bus = SensorBus(Net("scl", pull_up=True), Net("sda", pull_up=True))
        sensors = SensorWorld(bus, clock, at)
        populate(sensors, self._planned)
        return sensors

    async def open(self):
        """As Bus.open. The plan's time begins."""
        if self._controller is not None:
            return
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.sensors = self.world_of(
            lambda: loop.time() - began, lambda when, callback: loop.call_at(began + when, callback)
        )
        self._controller = Controller(self.sensors.bus, "controller")
        self._turn = asyncio.Lock()

    async def close(self):
        """As Bus.close."""
        self._controller = None

    async def transfer(self, transfer, timeout_ms=TRANSFER_MS):
        """As Bus.transfer."""
        self.check(transfer)
        return await self._limited(self._messages(transfer), timeout_ms, transfer[0].address)

    async def quick(self, address, read, timeout_ms=TRANSFER_MS):
        """As Bus.quick."""
        check_address(address)
        await self._limited(self._alone(address, read), timeout_ms, address)

    async def _limited(self, work, timeout_ms, address):
        if self._controller is None:
            work.close()
            raise closed().at(self.name)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                async with self._turn:
                    self._free(address)
                    return await work
        except TimeoutError:
            raise timed_out(BUS, "the device stretches the clock for too long", address).at(self.name)
        finally:
            work.close()

    def _free(self, address):
        """Free the wires, as the kernel does. Raises: BusError(ETIMEDOUT): they cannot be freed."""
        bus, owner = self.sensors.bus, "controller"
        if bus.idle():
            return
        for _ in range(_CLOCKS):
            bus.scl.drive(owner, 0)
            bus.scl.drive(owner, None)
        for net, level in ((bus.scl, 0), (bus.sda, 0), (bus.scl, None), (bus.sda, None)):
            net.drive(owner, level)
        if not bus.idle():
            raise timed_out(BUS, "a wire of the bus is held", address).at(self.name)

    async def _alone(self, address, read):
        controller = self._controller
        await self._done(controller.read(address, 0) if read else controller.write(address, b""), address, 0)

    async def _messages(self, transfer):
        controller, answers = self._controller, []
        for index, message in enumerate(transfer):
            stop = index == len(transfer) - 1
            if message.counted:
                answers.append(await self._counted(message, index, stop))
            elif message.reads:
                done = await self._done(controller.read(message.address, message.size, stop), message.address, index)
                answers.append(bytes(done.data))
            else:
                done = await self._done(controller.write(message.address, message.data, stop), message.address, index)
                if done.acks != len(message.data):
                    await self._end(stop)
                    raise stopped(message.address, index)
        return answers

    async def _counted(self, message, index, stop):
        """Read a count, so many bytes, and those behind them."""
        controller, address = self._controller, message.address
        await self._done(controller.line_start(), address, index)
        if (await self._done(controller.line_write(bytes((address << 1 | 1,))), address, index)).acks != 1:
            await self._end()
            raise no_answer(address, index)
        first = (await self._done(controller.line_read(1, False), address, index)).data
        size = first[0] + message.size
        good = first[0] <= MAX_BLOCK and size > 0
        rest = (await self._done(controller.line_read(size if good else 1, True), address, index)).data
        if stop or not good:
            await self._end()
        if not good:
            raise damaged(address, f"the device told a block of {first[0]} bytes: 1 to {MAX_BLOCK} are possible")
        return bytes(first + rest)

    async def _end(self, stopped=False):
        if not stopped:
            await self._run(self._controller.line_stop())

    async def _done(self, steps, address, index):
        """Returns the Result. Raises: BusError."""
        result = await self._run(steps)
        if result.errno == ENODEV:
            raise no_answer(address, index)
        if result.errno:
            text = "the device stretches the clock for too long, or a wire of the bus is held"
            raise timed_out(BUS, text, address)
        return result

    async def _run(self, steps):
        """Drive a transfer of sim/wires/wire.py."""
        reply = None
        try:
            while True:
                step = steps.send(reply)
                reply = None
                if not isinstance(step, Pause):
                    reply = step.port.owner.answer(step)
                elif step.us >= _SHORTEST_US:
                    await asyncio.sleep(step.us / 1e6)
        except StopIteration as end:
            return end.value
        except BaseException:
            _cut(steps)
            raise


def _cut(steps):
    """The controller stops in the middle: the bytes that have crossed reach the target all the same."""
    try:
        step = steps.throw(Cut(0.0))
        while True:
            step = steps.send(None if isinstance(step, Pause) else step.port.owner.answer(step))
    except (StopIteration, Cut):
        pass
