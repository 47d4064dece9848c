"""The ledger of the requests of a run: docs/requests.md as something that is checked.

Both ends note each call of `request`, each run of a handler, and what was said to the caller. Like the other ledgers,
this one knows nothing of how the link works. What the promise says, and is checked, of each way:

- A handler gets what was asked, unaltered, on its own channel, in the order of the calls.
- A handler of the server runs at most once for a request, and one of the client at most once in each life: a later
  life runs again only what the server did not know to be accepted. It knew so if it had told an answer to this request
  or to a later one on the channel, and its process was not killed since.
- An answer is what a handler has returned to this very request, and RequestFailed has the text of what it has raised.
  The other texts need what they say: that the server was restarted, or the client, or that its memory ran out.
- RequestTimeout comes when the time is up, not earlier, and not much later. A request whose time is long is never told
  it, and is answered, or has failed with a reason.
- After the caller was told an answer or a failure, no handler begins. None begins when the time is up.
- LinkDown, and MemoryError before the time is up, say that nothing was asked: then no handler runs.
- A request whose caller has ended, and that was asked before one that a handler has got, has had its handler too.
"""

from collections import Counter

from sim import checker

CLIENT, SERVER = "client", "server"
OTHER = {CLIENT: SERVER, SERVER: CLIENT}
# What a caller was told.
ANSWERED, FAILED, TIMED_OUT = "answered", "failed", "timed out"
DOWN, NO_MEMORY, CANCELLED = "link down", "no memory", "cancelled"
GONE = "caller gone"  # nothing: its program has ended
# The time of a request that must be answered: longer than a run.
LONG_MS = 10**8
# So many of an end wait for their answers. The next ones wait for a place, in no order that is promised.
PLACES = {CLIENT: 8, SERVER: 64}
# Clocks of whole milliseconds at either end of a time.
CLOCK_S = 0.003
# The longest that a caller is told late that its time is up: the client's program blocks in calls, or sleeps.
LATE_S = {CLIENT: 20.0, SERVER: 0.5}
# The longest that a request may be on its way, from the one program to the other: that time is not counted. TCP stands
# still for up to 12 s, then the client sleeps for up to 9 s, and wires are held low.
ON_ITS_WAY_S = 30.0

# docs/requests.md: texts of RequestFailed that no handler has raised.
SERVER_RESTARTED = "the server was restarted, or its store failed, while the handler ran"
CLIENT_RESTARTED = "the client was restarted, perhaps while its handler ran"
INTERRUPTED = "the handler was interrupted: the application was started again, or memory ran out"
MAX_TEXT = 200  # bytes of a failure's text


class Call:
    """A call of `request`. lives, memory: as they were when it was made; done_..: when it returned."""

    def __init__(self, end, number, data, timeout_ms, waits, now):
        self.end = end
        self.number = number
        self.data = data
        self.timeout_ms = timeout_ms
        self.waits = waits
        self.at = now.at
        self.lives = now.lives
        self.memory = now.memory
        self.place = None  # among the calls of this end
        self.ordered = True
        self.said = self.what = self.done = None

    @property
    def required(self):
        """True if it must be answered."""
        return self.timeout_ms >= LONG_MS

    @property
    def limit(self):
        return self.at + self.timeout_ms / 1000

    @property
    def is_over(self):
        """True if its time was up when it returned."""
        return self.done.at >= self.limit - CLOCK_S


class Run:
    """A handler has begun. result: (ANSWERED, bytes) or (FAILED, text), when it has ended."""

    def __init__(self, end, data, index, now):
        self.end = end
        self.data = data
        self.index = index
        self.at = now.at
        self.lives = now.lives
        self.result = None


class Moment:
    """at: world's time; lives: how many lives of each end have begun; memory: allocations that have failed."""

    def __init__(self, at, lives, memory):
        self.at = at
        self.lives = lives
        self.memory = memory


class RequestLedger:
    """The requests of both ends, each on its channel. Args: world: for times; lines: number of requests that each end
    makes; channels: number of the channel on which each end asks."""

    def __init__(self, world, lines, channels):
        self._world = world
        self.lines = lines
        self._channels = channels
        self._lives = {CLIENT: 0, SERVER: 0}
        self._finished = {CLIENT: False, SERVER: False}
        self._open = {CLIENT: set(), SERVER: set()}  # numbers of requests whose callers wait
        self._asked = {CLIENT: 0, SERVER: 0}
        self.calls = {CLIENT: [], SERVER: []}
        self._by_data = {CLIENT: {}, SERVER: {}}
        self.all_runs = {CLIENT: [], SERVER: []}  # by the end that answers
        self.memory_failed = lambda: 0  # how many allocations of the client have failed
        self.on_change = None  # function()

    def _now(self):
        return Moment(self._world.now, dict(self._lives), self.memory_failed())

    def _trace(self, end, text):
        if self._world.tracer is not None:
            self._world.trace(end, text)

    def _changed(self):
        if self.on_change is not None:
            self.on_change()

    # What the applications note

    def begins(self, end):
        """A new life of an end begins. Who asked in the one before is told nothing."""
        self._lives[end] += 1
        self._finished[end] = False
        self._open[end].clear()

    def has_finished(self, end):
        """All calls of this life have returned."""
        self._finished[end] = True
        self._changed()

    def asked(self, end):
        """Returns how many requests an end has made: its application keeps that beyond the end of its life."""
        return self._asked[end]

    def asks(self, end, number, data, timeout_ms, waits):
        """Returns the Call, which is about to be made."""
        call = Call(end, number, data, timeout_ms, waits, self._now())
        call.place = len(self.calls[end])
        call.ordered = len(self._open[end] - {number}) < PLACES[end]
        self.calls[end].append(call)
        self._asked[end] = max(self._asked[end], number + 1)
        self._by_data[end][data] = call
        self._open[end].add(number)
        self._trace(end, f"? {data[:16]} for {timeout_ms} ms")
        return call

    def told(self, call, said, what=None):
        """A call has returned. what: the answer, or the text of the failure."""
        call.said, call.what, call.done = said, what, self._now()
        if said != NO_MEMORY or call.is_over:
            self._open[call.end].discard(call.number)
        self._trace(call.end, f"! {call.data[:16]} {said}: {what[:60] if what else what}")
        self._changed()

    def call_of(self, end, data):
        """Returns the Call of an end with this data, or None."""
        return self._by_data[end].get(data)

    def runs(self, end, data):
        """Returns the Run of a handler of this end, which has begun."""
        run = Run(end, data, len(self.all_runs[end]), self._now())
        self.all_runs[end].append(run)
        self._trace(end, f"< {data[:16]} begins")
        return run

    def returns(self, run, answer):
        run.result = ANSWERED, answer

    def raises(self, run, error):
        text = f"{type(error).__name__}: {error}".encode()[:MAX_TEXT].decode(errors="ignore")
        run.result = FAILED, f"channel {self._channels[OTHER[run.end]]}: {text}"

    # What the run asks for

    @property
    def delivered(self):
        """Returns how many requests wait for nothing more: their callers were told, or have ended."""
        return sum(self.asked(end) - len(self._open[end]) for end in OTHER)

    @property
    def expired(self):
        return self.outcomes.get(TIMED_OUT, 0)

    @property
    def outcomes(self):
        """Returns how many calls were told what."""
        said = Counter(call.said or GONE for calls in self.calls.values() for call in calls)
        return dict(sorted(said.items()))

    @property
    def seen_twice(self):
        """Returns how many runs in one life of the client were of requests that an earlier life had begun."""
        runs = self.all_runs[CLIENT]
        return len(runs) - len({run.data for run in runs})

    def complete(self):
        """Returns True if all calls have been made and have returned."""
        return all(self.asked(end) == self.lines and self._finished[end] for end in OTHER)

    def verdict(self):
        """Returns checker's counts (client asks, server asks). `lost`: requests that have to be answered, and were not;
        `duplicated`, `reordered`: runs of handlers; `corrupted`: requests and answers that are not what they should be;
        `untrue`: callers that were told what is not so, and runs after what they were told."""
        return tuple(_Judgement(self, end, self._channels[end], self._lives).counts for end in (CLIENT, SERVER))


class _Judgement:
    """Of one way. Args: end: the one that asks; lives: of each end, in the end."""

    def __init__(self, ledger, end, channel, lives):
        self._end, self._answers = end, OTHER[end]
        self._channel = channel
        self._lives = lives
        self._calls = ledger.calls[end]
        self._runs = {}  # data -> [Run]
        self.counts = dict.fromkeys((*checker.FIELDS, "untrue"), 0)
        self.wrong = []  # (what, data), for who looks for the reason
        self.counts["sent"] = ledger.asked(end)
        for run in ledger.all_runs[self._answers]:
            self._runs.setdefault(run.data, []).append(run)
            if ledger.call_of(end, run.data) is None:
                self._is("corrupted", run)
        self._judge_order(ledger)
        for call in self._calls:
            self._judge_outcome(call)
            self._judge_runs(call)
        self._judge_passed_over()

    def _is(self, what, one):
        self.counts[what] += 1
        self.wrong.append((what, one.data[:24]))

    def _judge_order(self, ledger):
        last = {}  # life -> place of the last call that it has begun
        for run in ledger.all_runs[self._answers]:
            call = ledger.call_of(self._end, run.data)
            if call is not None and call.ordered:
                life = run.lives[self._answers]
                if call.place < last.get(life, -1):
                    self._is("reordered", call)
                last[life] = max(call.place, last.get(life, -1))

    def _judge_outcome(self, call):
        if call.said is None:
            if call.lives[self._end] == self._lives[self._end]:  # its caller still waits
                self._is("lost", call)
            return
        self.counts["delivered"] += call.said != NO_MEMORY
        if call.said == ANSWERED:
            if not self._is_result(call):
                self._is("corrupted", call)
        elif call.said == FAILED:
            if not (self._is_result(call) or self._is_excused(call)):
                self._is("untrue", call)
        elif call.said == TIMED_OUT:
            if not call.is_over or call.done.at > call.limit + LATE_S[self._end]:
                self._is("untrue", call)
            elif call.required:
                self._is("lost", call)
        elif call.said == DOWN:
            if call.waits:
                self._is("untrue", call)
        elif call.said == NO_MEMORY:
            if self._end == SERVER or call.done.memory == call.memory:
                self._is("untrue", call)

    def _is_result(self, call):
        """True if a handler that has got this request has ended as the caller was told."""
        return any(run.result == (call.said, call.what) for run in self._runs.get(call.data, ()))

    def _is_excused(self, call):
        """True if what the text of a failure says is so, and no handler has begun since."""
        text, answers = call.what, self._answers
        runs = [run for run in self._runs.get(call.data, ()) if run.at <= call.done.at]
        before = all(run.lives[answers] < call.done.lives[answers] for run in runs)
        restarted = before and call.lives[answers] < call.done.lives[answers]
        if text == f"channel {self._channel}: {(CLIENT_RESTARTED, SERVER_RESTARTED)[answers == SERVER]}":
            return restarted
        if answers == CLIENT and text.startswith((f"channel {self._channel}: {INTERRUPTED}",
                                                  f"channel {self._channel}: MemoryError")):  # fmt: skip
            return call.done.memory > call.memory
        return False

    def _judge_runs(self, call):
        runs = self._runs.get(call.data, ())
        for index, run in enumerate(runs):
            if index and not self._may_run_again(call, runs[index - 1], run):
                self._is("duplicated", call)
            elif self._is_told(call, run):
                self._is("untrue", call)
            elif call.said == DOWN or call.said == NO_MEMORY and not call.is_over:
                self._is("untrue", call)
            elif run.at > call.limit + ON_ITS_WAY_S:
                self._is("untrue", call)

    def _is_told(self, call, run):
        """True if the caller had been told an answer or a failure before the handler began."""
        if call.said not in (ANSWERED, FAILED) or run.at <= call.done.at:
            return False
        return self._answers == SERVER or run.lives[SERVER] == call.done.lives[SERVER]

    def _may_run_again(self, call, before, run):
        if self._answers == SERVER or run.lives[CLIENT] == before.lives[CLIENT]:
            return False
        return not any(
            self._shows_acceptance(later, run)
            for later in self._calls[call.place :]
            if later is call or later.ordered and call.ordered
        )

    def _shows_acceptance(self, call, run):
        """True if the server was told a result of this call before the life of the run began, and not killed since."""
        if call.said not in (ANSWERED, FAILED) or not self._is_result(call):
            return False
        done = call.done.lives
        return done[CLIENT] < run.lives[CLIENT] and done[SERVER] == run.lives[SERVER]

    def _judge_passed_over(self):
        """Requests of callers that have ended, asked before one that a handler has got, in the same life of both."""
        reached = {}  # life of the caller -> lives of the other end in which later ones were begun
        for call in reversed(self._calls):
            if not call.ordered:
                continue
            seen = reached.setdefault(call.lives[self._end], set())
            runs = self._runs.get(call.data, ())
            if call.said is None and call.required and not runs and seen == {call.lives[self._answers]}:
                self._is("lost", call)
            seen.update(run.lives[self._answers] for run in runs)
