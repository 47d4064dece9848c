"""Processes that read one channel of one client, with a table that is played in Python, on a clock that jumps.

Real are Readings, Reading, Gathered and Transaction. Played are the row of table `reading` and the inbox, what the
statements do with them (postgres_reading_statements.py; test_postgres_reading_statements.py has the real ones), and the
part of a PostgresStore that performs them: a thread with a queue, a batch with moves of the cursor, and the outcomes
that a broken connection leaves unknown. Everything takes a random time, and depends on the seed alone.
"""

import asyncio
import random
from contextlib import asynccontextmanager
from types import SimpleNamespace

from protocol.errors import StoreError
from server.core.message import line
from server.stores import postgres_reading_statements as statements
from server.stores.postgres_readings import Readings
from server.stores.postgres_transactions import Transaction

CLIENT, KEY, CHANNEL = "a", 1, 0
OWNER = 1  # node to which the client is connected
STATEMENT_S = 0.05  # a statement takes less on the way, and less on the way back
LATE_S = 1.0  # one whose answer is lost may be done so much later
AWAY_S = 0.5  # and is sent again after less
HINT_S, HINT_ARRIVES = 0.01, 0.7
DONE, NOT_DONE, DONE_LATE, SENT_AGAIN = range(4)  # what became of a batch whose answer is lost


class Chances:
    """How likely each fault is: of a statement, of one of a transaction, and of a COMMIT, that the answer is lost."""

    def __init__(self, lost=0.1, broken=0.05, lost_commit=0.1):
        self.lost = lost
        self.broken = broken
        self.lost_commit = lost_commit

    def end(self):
        """No more faults."""
        self.lost = self.broken = self.lost_commit = 0


class World:
    """The table, the processes, and what happened. Args: seed; processes: how many; chances: Chances."""

    def __init__(self, seed, processes, chances):
        self.random = random.Random(seed)
        self.chances = chances
        self.log = []  # (s, what happened)
        self.came = 0  # messages so far: each has its number for its text
        self.read = []  # numbers of those that applications got for good: returned, or with an effect that is committed
        self.given_up = set()  # those that a process had not returned when another one took over: they may be gone
        self.inbox = {}  # number -> bytes
        self.reader = self.next = self.gone = 0  # the row, once there is one (reader > 0)
        self.node = None  # column `process`
        self.lock = asyncio.Lock()  # of the row
        self.processes = {node: Process(self, node) for node in range(OWNER, OWNER + processes)}

    def say(self, *what):
        self.log.append((round(asyncio.get_running_loop().time(), 4), *what))

    def happens(self, chance):
        return self.random.random() < chance

    async def pause(self, most=STATEMENT_S):
        """Let less than so many seconds pass."""
        await asyncio.sleep(self.random.random() * most)

    def arrive(self):
        """A message of the client comes."""
        self.inbox[self.came] = b"%d" % self.came
        self.came += 1
        for process in self.processes.values():
            process.readings.heard("inbox", None)

    def delete(self, number):
        """The owner deletes what is before this number."""
        self.say("delete before", number)
        self.inbox = {one: data for one, data in self.inbox.items() if one >= number}

    def end(self):
        """End the tasks of the processes."""
        for process in self.processes.values():
            process.readings.stop()
            process.thread.cancel()

    # What the statements do

    async def perform(self, node, statement, args):
        """Returns the rows."""
        perform = {
            statements.CLAIM: self._claim,
            statements.RELEASE: self._release,
            statements.MESSAGES: self._messages,
            statements.NEWS: self._news,
            statements.READ: self._read,
        }[statement]
        return await perform(node, *args)

    async def move(self, node, fence, number, gone):
        """MOVE, of one row. Returns whether it is done."""
        async with self.lock:
            done = self.reader == fence
            self.say("move" if done else "fenced", node, fence, number, gone)
            if done:
                self.next, self.gone = self.next if number is None else number, gone
            return done

    async def _claim(self, node, *_):
        living = self.node is not None and self.processes[self.node].lives
        if self.lock.locked() or living and self.node != node:
            return []
        own = self.node == node
        if not own:
            if self.node is not None:
                self.given_up.update(range(self.gone, self.next))
            self.gone = self.next
        self.reader += 1
        self.node = node
        self.say("claim", node, self.reader, self.next, own)
        return [(CLIENT, KEY, CHANNEL, self.reader, self.next, own, OWNER)]

    async def _release(self, node, keys, channels, fences):
        async with self.lock:
            if self.reader in fences:
                self.say("release", self.node, self.reader)
                self.node, self.gone = None, self.next
        return []

    async def _messages(self, node, keys, channels, numbers, most):
        return [
            (at, number, 0, 0, self.inbox[number])
            for at, first in enumerate(numbers, 1)
            for number in sorted(one for one in self.inbox if one >= first)[:most]
        ]

    async def _news(self, node, keys, channels, numbers):
        return [(at,) for at, first in enumerate(numbers, 1) if any(one >= first for one in self.inbox)]

    async def _read(self, node, keys):
        return [{"client": KEY, "channel": CHANNEL, "gone": self.gone, "process": self.node}] if self.reader else []


class Process:
    """One process: what Readings wants of Own and of its Others (postgres.py), with a batch and a thread.

    lives: whether it is seen; if not, others may claim what it reads."""

    def __init__(self, world, node):
        self.node = node
        self.lives = True
        self.others = self
        self.store = SimpleNamespace(on_lost=None, transactions=Transactions(world))
        self._world = world
        self._record = Record(world) if node == OWNER else None
        self._moves = {}  # of the next batch: as in Rows, with one place
        self._flies = False  # a batch is under way
        self._work = asyncio.Queue()
        self.thread = asyncio.create_task(self._run())
        self.readings = Readings(self)
        self.reading = self.readings.of(CLIENT, CHANNEL)
        self.readings.begin()

    # Others

    @property
    def beaten(self):
        return asyncio.get_running_loop().time() if self.lives else 0.0

    def follow(self, client_id):
        pass

    def seen(self, client_id):
        return SimpleNamespace(node=OWNER)

    def tell(self, node, word, key):
        if node in self._world.processes and self._world.happens(HINT_ARRIVES):
            asyncio.get_running_loop().call_later(HINT_S, self._world.processes[node].readings.heard, word, {key})

    @asynccontextmanager
    async def used(self):
        yield

    # Own

    def usable(self):
        pass

    def record(self, client_id):
        return self._record

    def record_of(self, key):
        return self._record

    def unread_records(self):
        return [self._record] if self._record and self._world.inbox else []

    def keys(self):
        return [KEY] if self._record else []

    def gone(self, error):
        raise AssertionError(f"the store has ended: {error}")

    def drop_read(self, record, channel, number):
        self._world.delete(number)

    def move_reader(self, reading, number):
        gone = reading.gone if number is None else reading.gone_before(number)
        if number is not None or not self._moves:
            self._moves[KEY] = reading, reading.fence, number, gone
        self.flush()

    def flush(self):
        if self._moves and not self._flies:
            moves, self._moves, self._flies = self._moves, {}, True
            batch = Batch(self._world, self.node, moves[KEY][1:])
            self._work.put_nowait((batch.commit, lambda done, error: self._landed(moves, batch, done, error)))

    def _landed(self, moves, batch, done, error):
        self._flies = False
        following = self._moves if error else {}  # they are given up with it
        if error:
            self._moves = {}
        for reading, *move in moves.values():
            reading.moved(*move, None if error or batch.repeated else done)
        for reading, *move in following.values():
            reading.moved(*move, None)
        self.flush()

    def start(self, done, function, *args):
        self._work.put_nowait((lambda: self._performed(function, args), done))

    async def perform(self, function, *args):
        future = asyncio.get_running_loop().create_future()

        def done(rows, error):
            if not future.done():
                future.set_exception(error) if error else future.set_result(rows)

        self.start(done, function, *args)
        return await future

    async def _performed(self, function, args):
        world = self._world
        if world.happens(world.chances.lost):
            if world.happens(0.6):
                await function(self, "{schema}", *args)
            await world.pause(AWAY_S)
            if world.happens(0.1):
                raise StoreError("the database is away for too long")
        return await function(self, "{schema}", *args)

    async def fetch(self, statement, *args):
        """As of a connection."""
        return await self._world.perform(self.node, statement, args)

    async def _run(self):
        while True:
            work, done = await self._work.get()
            await self._world.pause()
            result = error = None
            try:
                result = await work()
            except StoreError as fault:
                error = fault
            await self._world.pause()
            done(result, error)


class Batch:
    """A move of the cursor that the thread commits. Args: move: (fence, number, gone). repeated: it was sent twice."""

    def __init__(self, world, node, move):
        self.repeated = False
        self._world = world
        self._args = node, *move

    async def commit(self):
        """Returns whether it is done. Raises: StoreError: nobody knows."""
        world = self._world
        if not world.happens(world.chances.lost):
            return await world.move(*self._args)
        outcome = world.random.choice((DONE, NOT_DONE, DONE_LATE, SENT_AGAIN))
        world.say("lost the answer of a batch", self._args[0], outcome)
        if outcome == DONE:
            await world.move(*self._args)
        elif outcome == DONE_LATE:
            self._later()
        elif outcome == SENT_AGAIN:
            self.repeated = True
            if world.happens(0.5):
                await world.move(*self._args)
            else:
                self._later()
            await world.pause(AWAY_S)
            return await world.move(*self._args)
        raise StoreError("nobody knows")

    def _later(self):
        async def move():
            await self._world.pause(LATE_S)
            await self._world.move(*self._args)

        self._task = asyncio.create_task(move())


class Record:
    """The client's, in the process to which it is connected."""

    def __init__(self, world):
        self.client_id, self.key, self.connected, self.safe, self.readers = CLIENT, KEY, True, 1 << 40, {}
        self.inbox = {CHANNEL: self}
        self._world = world

    @property
    def numbers(self):
        """As of a Box."""
        return sorted(self._world.inbox)

    def look(self, number, channel):
        found = [one for one in self._world.inbox if one >= number]
        return (min(found), line(self._world.inbox[min(found)])) if found else None


class Transactions:
    """As in postgres_transactions.py."""

    where, move = "here", "MOVE_WITH_EFFECT"

    def __init__(self, world):
        self._world = world

    def begin(self, *args):
        return Transaction(self, *args)

    async def connection(self):
        await self._world.pause()
        connection = Connection(self._world)
        return connection, connection

    async def release(self, connection, broken=False):
        connection.terminate()


class Connection:
    """An application's, and its transaction. effects: numbers of the messages whose effect it commits."""

    def __init__(self, world):
        self.effects = []
        self._world = world
        self._move = None  # (next, gone), once the row is locked
        self._commits = False
        self._ended = False

    def add_log_listener(self, listener):
        pass

    def remove_log_listener(self, listener):
        pass

    def terminate(self):
        self._ended = True
        if not self._commits:
            self._unlock()

    async def fetchval(self, statement, key, channel, fence, number, before, gone):
        """MOVE_WITH_EFFECT."""
        world = self._world
        await world.pause()
        if world.happens(world.chances.broken):
            raise ConnectionResetError("before the statement")
        await world.lock.acquire()
        self._move = number, gone
        await world.pause()
        if self._ended:
            self._unlock()
            raise ConnectionResetError("the connection has ended")
        return "20s" if (world.reader, world.next) == (fence, before) else None

    async def commit(self):
        """Send COMMIT. It is done even if the call is cancelled."""
        self._commits = True
        await asyncio.shield(asyncio.create_task(self._commit()))

    async def _commit(self):
        world = self._world
        await world.pause()
        lost = world.happens(world.chances.lost_commit)
        if lost and world.happens(0.5):
            self._unlock()
            raise ConnectionResetError("before COMMIT")
        world.next, world.gone = self._move
        world.say("commit", self._move, self.effects)
        world.read += self.effects
        self._unlock()
        await world.pause()
        if lost:
            raise ConnectionResetError("after COMMIT")

    async def rollback(self):
        self._unlock()
        await self._world.pause()

    def _unlock(self):
        if self._move is not None:
            self._move = None
            self._world.lock.release()
