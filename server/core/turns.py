"""Calls that wait, each woken alone: a change that concerns one of a thousand does not run them all."""

import asyncio

from primitives.broadcast import Broadcast


class Changes(Broadcast):
    """A Broadcast that also calls then() at each pulse."""

    def __init__(self, then):
        super().__init__()
        self._then = then

    def pulse(self):
        super().pulse()
        self._then()


class Turns:
    """Calls in their order. MicroPython's locks and events do not keep the order of the waiting tasks.

    Each call has a ticket from `enter` until `leave`: an Event, which is set when the call becomes the first one.
    """

    def __init__(self):
        self._tickets = []
        self._short = []  # tickets of calls that wait only while a condition holds

    def __len__(self):
        return len(self._tickets)

    def enter(self):
        """Returns the ticket of a new call, the last one."""
        self._tickets.append(asyncio.Event())
        return self._tickets[-1]

    def is_first(self, ticket):
        """True if this call is the first one."""
        return self._tickets[0] is ticket

    def leave(self, ticket):
        """End a call. If it was the first, the next one is woken."""
        first = self._tickets[0] is ticket
        self._tickets.remove(ticket)
        if first and self._tickets:
            self._tickets[0].set()

    async def first(self, ticket, while_true=None):
        """Return when the call is the first, or when while_true() is not true. `wake_short` has that looked at."""
        if while_true is not None:
            self._short.append(ticket)
        try:
            while self._tickets[0] is not ticket and (while_true is None or while_true()):
                await ticket.wait()
                ticket.clear()
        finally:
            if while_true is not None:
                self._short.remove(ticket)

    def wake_short(self):
        """Wake the calls whose condition may no longer hold."""
        for ticket in self._short:
            ticket.set()


class Counted:
    """Calls that wait until a count is reached. They begin in the order of their counts."""

    def __init__(self):
        self._waiting = []  # (count, Event)

    async def wait(self, count):
        """Return when the count is reached, or at `wake_all`: the caller looks again which it was."""
        entry = count, asyncio.Event()
        self._waiting.append(entry)
        try:
            await entry[1].wait()
        finally:
            if entry in self._waiting:  # it was cancelled
                self._waiting.remove(entry)

    def reached(self, count):
        """Wake those that wait for this count or less."""
        while self._waiting and self._waiting[0][0] <= count:
            self._waiting.pop(0)[1].set()

    def wake_all(self):
        waiting, self._waiting = self._waiting, []
        for _, event in waiting:
            event.set()
