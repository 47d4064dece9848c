"""What a sensor bus has told, on any bed."""

import asyncio


class Watch:
    """A bed's rig gives `bus`, `records`, `now()` in s, and `patience`, by which all limits are multiplied."""

    patience = 1

    def __init__(self):
        self.bus = None
        self.samples = []  # (time of the bed, Sample)
        self.events = []  # (time of the bed, kind, address, name of the type or None)

    async def watch(self, program):
        """Returns what `await program(self)` returns, while the bus works."""
        tasks = [asyncio.create_task(one) for one in (self.bus.run(), self._take(), self._listen())]
        failed = []
        try:
            return await program(self)
        finally:
            for task in tasks:
                if task.done() and not task.cancelled():  # a program may end the bus itself
                    failed.append(task)
                task.cancel()
            for task in failed:
                await task  # raises what has ended it

    async def _take(self):
        async for sample in self.bus.samples():
            self.samples.append((self.now(), sample))

    async def _listen(self):
        async for event in self.bus.events():
            name = None if event.type is None else self.records.name(event.type)
            self.events.append((self.now(), event.kind, event.address, name))

    def of(self, address, since=0.0):
        """Returns the samples (list of Sample) of a device since a time of the bed's."""
        return [sample for at, sample in self.samples if sample.address == address and at >= since]

    def kinds(self, address, since=0.0):
        """Returns the kinds of the events of an address since a time."""
        return [kind for at, kind, where, _ in self.events if where == address and at >= since]

    async def until(self, condition, limit_s):
        """Returns how long it took until condition() is true. Raises: AssertionError after limit_s."""
        begin = self.now()
        while not condition():
            waited = self.now() - begin
            assert waited < limit_s * self.patience, (condition, self.events[-10:], self.bus.devices())
            await asyncio.sleep(0.001)
        return self.now() - begin

    def names(self):
        """Returns {address: name of the type or None} of what the bus says is there."""
        return {
            address: None if number is None else self.records.name(number)
            for address, number, _ in self.bus.devices()
        }
