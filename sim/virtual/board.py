"""A board: power, a loop for each life, soft interrupts, random numbers, and the program that it runs."""

import asyncio
import builtins
import inspect
import random
import traceback
import types
from importlib.util import find_spec
from pathlib import Path

from primitives.platform import sleep_ms
from sim.virtual.world import BoardDied, BoardLoop, task_order
from sim.wires.nets import BoardPin

# Soft callbacks that may wait: MICROPY_SCHEDULER_DEPTH of both ports. Any further one is lost.
SCHEDULER_DEPTH = 4

# The result of an interrupt: nothing, or nothing while its callback already waits.
MISSED, COALESCED = "missed", "coalesced"

_code = {}


class Started(BaseException):
    """Raised by `asyncio.run(main)` of a board's program: from then on the world runs main."""

    def __init__(self, main):
        super().__init__()
        self.main = main


def _run(main):
    raise Started(main)


def _micropython_asyncio():
    """Returns asyncio as programs of boards see it."""
    module = types.ModuleType("asyncio")
    module.__dict__.update(asyncio.__dict__)
    module.run = _run
    module.sleep_ms = sleep_ms
    return module


ASYNCIO = _micropython_asyncio()


def _end(coroutine):
    """Closes a coroutine, and those that it was given or made and has not begun: nobody will await them."""
    held, inner = [], coroutine
    while inspect.iscoroutine(inner) and inner.cr_frame is not None:
        held += [one for one in inner.cr_frame.f_locals.values() if inspect.iscoroutine(one)]
        inner = inner.cr_await
    try:
        coroutine.close()
    except Exception:
        pass  # it awaits in a `finally`: the board is dead, so the result is lost
    for one in held:
        _end_unless_begun(one)


def _end_unless_begun(coroutine):
    if inspect.getcoroutinestate(coroutine) == inspect.CORO_CREATED:
        _end(coroutine)


class Board:
    """A board. Args: pins: name -> Net; switch_us, sha256_us: cost of a task switch and of a SHA-256 block here;
    irq_us: from an interrupt to its callback; blocks: others go on while it computes; at most one board may do so."""

    def __init__(self, world, name, pins, *, seed, switch_us=0, sha256_us=0, irq_us=0, blocks=False):
        self.world = world
        self.name = name
        self.seed = seed
        self.switch_us = switch_us
        self.sha256_us = sha256_us
        self.irq_us = irq_us
        self.blocks = blocks
        self.loop = None  # while it has power and has booted
        self.life = 0
        self.busy_until = 0.0
        self.debt_us = 0  # computing that is done, and whose time has not passed yet
        self.blocked = False
        self.random = None
        self.random_repeats = False  # the same random bytes in each life: a fault
        self.booted_at = 0.0
        self.pins = {pin: BoardPin((name, pin), net) for pin, net in pins.items()}
        self.on_line = None  # function(board, line): what the program prints
        self.on_end = None  # function(board, exception or None): its program has ended
        self.on_callback_failed = None  # function(text): a callback of its loop has raised an exception
        self.on_base_exception = None  # function(error): a task or callback has ended by what is no Exception
        self.interrupts_lost = 0
        self.lose_interrupts = None  # function(source) -> MISSED, COALESCED, seconds later, or None: a fault
        self.foreign_callbacks = 0  # places of the scheduler's queue that others have taken: a fault
        self._irqs = {}  # pin name -> (handler, falling, rising, object for the handler)
        self._at_death = []
        self.soft_due = False  # callbacks wait for the end of a call that blocks
        self._soft = []
        self._dead = []
        self._output = ""
        world.boards.append(self)
        for pin, net in pins.items():
            net.listen(lambda net, pin=pin: self._edge(pin, net))

    def add_pin(self, pin, net):
        """Connects one more of its pins with a net."""
        self.pins[pin] = BoardPin((self.name, pin), net)
        net.listen(lambda net: self._edge(pin, net))

    def __repr__(self):
        return f"Board({self.name})"

    # Power.

    def power_on(self, program):
        """Starts a life. Args: program(board): runs in it, and may end in `asyncio.run` of the board's modules."""
        self.life += 1
        self.random = random.Random(f"{self.seed} {self.name} {0 if self.random_repeats else self.life}")
        self.booted_at = self.world.now
        self.loop = loop = BoardLoop(self.world)
        loop.set_exception_handler(self._unhandled)
        if self.on_base_exception is not None:
            loop.on_step = self._look_at_task
        self.busy_until = self.world.now
        self.debt_us = 0
        self.world.enter(self)
        try:
            program(self)
        except Started as started:
            loop.create_task(self._main(started.main))
        except BoardDied:
            pass
        finally:
            self.world.leave(loop)

    async def _main(self, main):
        fault = None
        life = self.life, self.loop
        try:
            await main
        except Exception as error:  # any exception: the owner of the board decides
            fault = error
        if (self.life, self.loop) != life:
            return  # it was killed: its `finally` clauses on a dead board do not count as the end of a program
        if fault is not None:
            print("".join(traceback.format_exception(fault)))
        if self.on_end is not None:
            self.on_end(self, fault)

    def kill(self):
        """Ends this life at once, at any point of the program: power off, or reset held. It has no further effects."""
        if self.loop is None:
            return
        for action in self._at_death:
            action()
        self._at_death.clear()
        for pin in self.pins.values():
            pin.release()
        self._irqs.clear()
        self._soft.clear()
        self.soft_due = False
        self._output = ""
        self._dead.append(self.loop)
        self.loop = None
        self.bury()

    def bury(self):
        """Ends the tasks of past lives: their `finally` clauses run on a dead board."""
        left = []
        for loop in self._dead:
            if loop.running:
                left.append(loop)
                continue
            for task in sorted(asyncio.all_tasks(loop), key=task_order):
                task._log_destroy_pending = False
                _end(task.get_coro())
            loop._ready.clear()
            loop._scheduled.clear()
            loop.close()
        self._dead = left

    def at_death(self, action):
        """Has `action()` called when this life ends."""
        self._at_death.append(action)

    def let_fall(self, coroutine):
        """Takes a coroutine that the program has made and will usually not await: a fault came in between."""
        self._at_death.append(lambda: _end_unless_begun(coroutine))

    def _unhandled(self, loop, context):
        if self.loop is loop:
            text = f"{context.get('message')}: {context.get('exception')!r}"
            print(text)
            self._look_at(context.get("exception"))
            if "handle" in context and self.on_callback_failed is not None:
                self.on_callback_failed(text)

    def _look_at_task(self, handle):
        task = getattr(handle._callback, "__self__", None)
        if isinstance(task, asyncio.Task) and task.done():
            self._look_at(task._exception)  # exception() would count as somebody's having taken it

    def _look_at(self, error):
        if error is not None and not isinstance(error, Exception) and self.on_base_exception is not None:
            self.on_base_exception(error)

    # Time.

    def charge(self, us):
        """Counts computing of the program that takes this long."""
        self.debt_us += us

    def compute(self, us):
        """Computes for this long, now; interrupts come meanwhile. Raises: BoardDied."""
        loop = self.loop
        if loop is not None:
            self.world.block(self, us)
            if self.loop is not loop:
                raise BoardDied

    # Interrupts.

    def set_irq(self, pin, handler, falling, rising, subject):
        if handler is None:
            self._irqs.pop(pin, None)
        else:
            self._irqs[pin] = (handler, falling, rising, subject)

    def _edge(self, pin, net):
        irq = self._irqs.get(pin)
        if irq is not None and irq[2 if net.level else 1]:
            self.interrupt(irq[0], irq[3], pin)

    def interrupt(self, handler, subject, source):
        """Puts `handler(subject)` of an interrupt into the scheduler's queue. It is lost if the queue is full.

        Args: source: a pin, or "i2c".
        """
        if self.loop is None:
            return
        delay_s = self.irq_us / 1e6
        if self.lose_interrupts is not None:
            said = self.lose_interrupts(source)
            if said == MISSED or said == COALESCED and (handler, subject) in self._soft:
                self.interrupts_lost += 1
                return
            delay_s += said if type(said) is float else 0
        if len(self._soft) + self.foreign_callbacks >= SCHEDULER_DEPTH:
            self.interrupts_lost += 1
            return
        self._soft.append((handler, subject))
        if len(self._soft) == 1:
            self.world.after(delay_s, self._run_soft, self.life)

    def _run_soft(self, life):
        if self.life != life or self.loop is None:
            return
        if self.blocked:  # between two bytecodes, not in the middle of a call
            self.soft_due = True
        elif self.busy_until > self.world.now:
            self.world.at(self.busy_until, self._run_soft, life)
        else:
            loop = self.loop
            self.world.enter(self)
            try:
                self.run_soft_now()
            finally:
                self.world.leave(loop)

    def run_soft_now(self):
        """Runs the soft callbacks that wait. The board must be the one that runs."""
        self.soft_due = False
        soft, self._soft = self._soft, []
        for handler, subject in soft:
            handler(subject)

    def raise_in_a_task(self, chance, error):
        """Injects a fault: one of its tasks gets `error` out of its await, where it waits. chance: a random.Random."""
        waits = [task._fut_waiter for task in sorted(asyncio.all_tasks(self.loop), key=task_order)]
        waits = [wait for wait in waits if type(wait) is asyncio.Future and not wait.done()]
        if waits:
            chance.choice(waits).set_exception(error)

    # Its program.

    def execute(self, module, modules, name="__main__"):
        """Runs a module of the project, given by its name, as a program of this board. `modules`: replacements for its
        imports.

        Returns its globals.
        """
        code = _code.get(module)
        if code is None:
            text = Path(find_spec(module).origin).read_text(encoding="utf-8")
            code = _code[module] = compile(text, f"{module.replace('.', '/')}.py", "exec")

        def find(wanted, globals=None, locals=None, fromlist=(), level=0):
            if wanted in modules:
                return modules[wanted]
            return builtins.__import__(wanted, globals, locals, fromlist, level)

        names = {"__name__": name, "__builtins__": {**builtins.__dict__, "__import__": find}}
        exec(code, names)
        return names

    def write_output(self, text):
        """Takes the program's output."""
        *lines, self._output = (self._output + text).split("\n")
        if self.on_line is not None:
            for line in lines:
                self.on_line(self, line)


class Console:
    """A replacement for sys.stdout: output of a board's program goes to that board."""

    def __init__(self, world, outer):
        self._world = world
        self._outer = outer

    def write(self, text):
        board = self._world.current
        if board is not None and board.loop is not None:
            board.write_output(text)
        elif board is None:
            self._outer.write(text)

    def flush(self):
        self._outer.flush()
