"""Virtual time, and the order of all events in it.

Each board has an asyncio loop of its own, and the world runs them one slice at a time, the board or event with the
earliest time first. Nothing reads a real clock, and equal times go in a fixed order, so a run is repeated exactly.

A board that makes a synchronous call which takes time, an I2C transfer, is *blocked*: `World.block` runs the other
boards until that time has passed, and returns. So the others see a transfer during its course, and a board can lose
power in the middle of it. Boards that block at the same time end in the reverse order: the call of the first one lasts
until that of the last one has ended. With one client only the bridge blocks.
"""

import asyncio
import heapq
from asyncio import events

# time() is ahead by this much, so that a whole millisecond is not rounded down to the one before.
ROUNDING_S = 1e-7
_NEVER = float("inf")

# Python 3.14 has one current task per thread, not one per loop.
_swap_current_task = getattr(asyncio.tasks, "_swap_current_task", None)


class Deadlock(Exception):
    """All boards wait, and no event is due: nothing would happen any more."""


class BoardDied(BaseException):
    """Raised in the program of a board that lost power during a call. No `except Exception` catches it."""


class BoardLoop(asyncio.BaseEventLoop):
    """The loop of one life of a board. It never runs by itself: the world calls `run_once`."""

    running = False

    def __init__(self, world):
        super().__init__()
        self._world = world

        self.signals = {}  # number -> (callback, args), of a board that is a process
        self.network = None  # object with create_server(..), of a board that has one
        self.on_step = None  # function(handle), after a callback or a step of a task

    def time(self):
        return self._world.now + ROUNDING_S

    def due(self):
        """Returns the time of the next thing to do."""
        if self._ready:
            return 0.0
        scheduled = self._scheduled
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)._scheduled = False
        return scheduled[0]._when - ROUNDING_S if scheduled else _NEVER

    def run_once(self, board):
        """Runs what is ready. Returns the number of callbacks that ran."""
        now = self._world.now + 2 * ROUNDING_S
        scheduled, ready = self._scheduled, self._ready
        while scheduled and scheduled[0]._when <= now:
            timer = heapq.heappop(scheduled)
            timer._scheduled = False
            ready.append(timer)
        ran = 0
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            ran += 1
            if board.world.numbering is not None:
                board.world.number("await", board.name)
                if board.loop is not self:
                    ready.appendleft(handle)  # otherwise its task is gone before `bury` has ended it
                    break
            handle._run()
            if board.loop is not self:
                break  # it lost power during this call
            if self.on_step is not None:
                self.on_step(handle)
        return ran

    # Like the base's, without its checks: this is most of the cost of a quiet link.

    def call_soon(self, callback, *args, context=None):
        handle = events.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(self, delay, callback, *args, context=None):
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(self, when, callback, *args, context=None):
        timer = events.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer

    def _timer_handle_cancelled(self, handle):
        pass  # `due` handles it

    def get_debug(self):
        return False

    # Other methods that asyncio and programs call on a loop.

    def is_running(self):
        return self.running

    def _write_to_self(self):
        pass

    def _process_events(self, event_list):
        pass

    def add_signal_handler(self, number, callback, *args):
        self.signals[number] = (callback, args)

    async def create_server(self, protocol_factory, host=None, port=None, **_):
        return self.network.listen(self, protocol_factory, port)


class World:
    """The clock, the events that belong to no board, and the boards."""

    def __init__(self, begin_s=0.0):
        self.now = begin_s
        self.begin_s = begin_s
        self.boards = []
        self.current = None  # the board whose program runs
        self.stopped = False
        self.slices = 0
        self.numbering = None  # function(number, kind, name), called before each event that a crash may precede
        self.numbered = 0
        self.tracer = None  # function(time, column, text)
        self._events = []
        self._order = 0
        self._nestings = 0

    # Events of the world.

    def at(self, when, callback, *args):
        """Calls `callback(*args)` at this time. Returns an object for `cancel`."""
        self._order += 1
        event = [when, self._order, callback, args]
        heapq.heappush(self._events, event)
        return event

    def after(self, seconds, callback, *args):
        return self.at(self.now + seconds, callback, *args)

    @staticmethod
    def cancel(event):
        event[2] = None

    def trace(self, column, text):
        if self.tracer is not None:
            self.tracer(self.now - self.begin_s, column, text)

    def number(self, kind, name):
        """Counts an event before which a crash may come, and reports its number."""
        self.numbered += 1
        self.numbering(self.numbered, kind, name)

    def stop(self):
        """Makes `run` return."""
        self.stopped = True

    def run(self):
        """Runs until `stop`. Raises: Deadlock, and any exception of an event."""
        self.stopped = False
        self._run_until(_NEVER, None)

    def run_for(self, seconds):
        self.stopped = False
        self._run_until(self.now + seconds, None)

    # Boards.

    def block(self, board, us):
        """Blocks the board's program for the duration of a call. Others go on meanwhile.

        Returns the microseconds that passed: fewer if the board lost power meanwhile.
        """
        us += board.debt_us
        board.debt_us = 0
        if us <= 0 or board.loop is None:
            return 0
        begin = self.now
        end = begin + us / 1e6
        loop = board.loop
        board.blocked = True
        if self._next(end) <= end:
            self._nested(board, end, loop)
        else:
            self.now = end
        board.blocked = False
        if board.soft_due and board.loop is loop:
            board.run_soft_now()
        return us if board.loop is loop else (self.now - begin) * 1e6

    def quiet(self, board, us):
        """Returns whether nothing else happens during the next microseconds of a call of this board."""
        end = self.now + us / 1e6
        board.blocked = True
        due = self._next(end)
        board.blocked = False
        return due > end

    def _nested(self, board, end, loop):
        task = _swap_current_task(loop, None) if _swap_current_task else None
        self.current = None
        self._nestings += 1
        try:
            self._run_until(end, board)
        finally:
            self.current = board
            events._set_running_loop(loop)
            if _swap_current_task:
                _swap_current_task(loop, task)

    def _next(self, limit):
        when = self._events[0][0] if self._events else _NEVER
        for board in self.boards:
            if board.loop is not None and not board.blocked:
                due = max(board.loop.due(), board.busy_until)
                if due < when:
                    when = due
        return when

    def _run_until(self, end, blocked):
        loop = blocked.loop if blocked else None
        pending, boards = self._events, self.boards
        while not self.stopped:
            when, chosen, others = _NEVER, None, end
            if pending:
                when = pending[0][0]
            for board in boards:
                if board.loop is None or board.blocked:
                    continue
                due = board.loop.due()
                if due < board.busy_until:
                    due = board.busy_until
                if due < when:
                    if chosen is not None and when < others:
                        others = when
                    when, chosen = due, board
                elif due < others:
                    others = due
            if when > end:
                self.now = max(self.now, end)  # a board that blocked meanwhile, and longer, has moved it
                return
            if when == _NEVER:
                raise Deadlock(self._who_waits())
            if when > self.now:
                self.now = when
            if chosen is not None:
                self._run_slices(chosen, others)
            else:
                event = heapq.heappop(pending)
                if event[2] is not None:
                    event[2](*event[3])
            if blocked is not None and blocked.loop is not loop:
                return

    def _run_slices(self, board, others):
        """Runs one board until another board, at time `others`, or an event comes first.

        Boards reach each other by events only, so none can become due earlier than `others` meanwhile.
        """
        pending = self._events
        loop = board.loop
        self.enter(board)
        try:
            while True:
                self.slices += 1
                nestings = self._nestings
                ran = loop.run_once(board)
                if board.loop is not loop:
                    break
                us = ran * board.switch_us + board.debt_us
                board.debt_us = 0
                if us:
                    board.busy_until = max(board.busy_until, self.now + us / 1e6)
                due = max(loop.due(), board.busy_until)
                if due >= others or due == _NEVER or self.stopped or pending and pending[0][0] <= due:
                    break
                if self._nestings != nestings:
                    break  # others have run meanwhile
                if due > self.now:
                    self.now = due
        finally:
            self.leave(loop)
        if board.loop is not loop:
            board.bury()

    def enter(self, board):
        """Makes the board's program the running one, until `leave`. To be called from outside of any program only."""
        self.current = board
        board.loop.running = True
        events._set_running_loop(board.loop)

    def leave(self, loop):
        loop.running = False
        events._set_running_loop(None)
        self.current = None

    def _who_waits(self):
        waits = []
        for board in self.boards:
            if board.loop is not None:
                for task in sorted(asyncio.all_tasks(board.loop), key=task_order):
                    waits.append(f"{board.name}: {task!r}")
        return "nothing is scheduled; these wait:\n" + "\n".join(waits or ["nobody"])


def task_order(task):
    """Returns a key that sorts tasks by their creation."""
    name = task.get_name()
    return (len(name), name)
