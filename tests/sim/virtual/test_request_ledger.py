"""What the ledger of requests calls a violation, and what docs/requests.md permits."""

import pytest

from sim.virtual.request_ledger import (
    ANSWERED,
    CANCELLED,
    CLIENT,
    CLIENT_RESTARTED,
    DOWN,
    FAILED,
    GONE,
    INTERRUPTED,
    LATE_S,
    LONG_MS,
    NO_MEMORY,
    ON_ITS_WAY_S,
    OTHER,
    PLACES,
    SERVER,
    SERVER_RESTARTED,
    TIMED_OUT,
    RequestLedger,
)

CHANNELS = {CLIENT: 30, SERVER: 31}
BOTH = pytest.mark.parametrize("end", [CLIENT, SERVER])


class Clock:
    """Instead of a World."""

    tracer = None
    now = 0.0


class Story:
    """Requests are letters that one end asks. A capital has a second. Each method is what an application does, or is
    told."""

    def __init__(self, end, asked=""):
        self.end, self.answers = end, OTHER[end]
        self.clock = Clock()
        self.ledger = RequestLedger(self.clock, 9, CHANNELS)
        self.memory = 0
        self.ledger.memory_failed = lambda: self.memory
        self.calls, self.runs = {}, {}
        self.begin(CLIENT).begin(SERVER).ask(asked)

    def begin(self, end):
        self.wait(0.001)
        self.ledger.begins(end)
        return self

    def wait(self, seconds=1.0):
        self.clock.now += seconds
        return self

    def ask(self, letters, waits=True):
        for one in letters:
            timeout_ms = 1000 if one.isupper() else LONG_MS
            number = self.ledger.asked(self.end)
            self.calls[one] = self.ledger.asks(self.end, number, one.encode(), timeout_ms, waits)
        return self

    def run(self, letters):
        """A handler gets each, and returns it twice."""
        for one in letters:
            self.wait(0.001)
            self.runs[one] = self.ledger.runs(self.answers, one.encode())
            self.ledger.returns(self.runs[one], (one * 2).encode())
        return self

    def fail(self, letters):
        """A handler gets each, and raises."""
        for one in letters:
            self.ledger.raises(self.ledger.runs(self.answers, one.encode()), ValueError(one * 300))
        return self

    def tell(self, letters, said=ANSWERED, what=None):
        for one in letters:
            self.wait(0.001)
            self.ledger.told(self.calls[one], said, (one * 2).encode() if said == ANSWERED and what is None else what)
        return self

    @property
    def wrong(self):
        counts = self.ledger.verdict()[self.end == SERVER]
        other = self.ledger.verdict()[self.end == CLIENT]
        assert not any(other.values())
        return {name: count for name, count in counts.items() if count and name not in ("sent", "delivered")}


def text(end, said):
    return f"channel {CHANNELS[end]}: {said}"


@BOTH
def test_each_runs_once_in_order_and_gets_its_own_answer(end):
    assert Story(end, "abc").run("abc").tell("abc").wrong == {}
    assert Story(end, "abc").run("abbc").tell("abc").wrong == {"duplicated": 1}
    assert Story(end, "abc").run("acb").tell("abc").wrong == {"reordered": 1}
    assert Story(end, "abc").run("abxc").tell("abc").wrong == {"corrupted": 1}
    assert Story(end, "ab").run("ab").tell("a", what=b"bb").tell("b").wrong == {"corrupted": 1}
    assert Story(end, "ab").run("a").tell("ab").wrong == {"corrupted": 1}  # of a handler that never ran
    assert Story(end, "ab").run("ab").tell("a").wrong == {"lost": 1}


@BOTH
def test_answer_of_one_that_timed_out_is_not_that_of_the_next(end):
    story = Story(end, "A").run("A").wait().tell("A", TIMED_OUT).ask("b").run("b")
    assert story.tell("b", what=b"AA").wrong == {"corrupted": 1}


@BOTH
def test_answer_is_what_a_handler_returned_and_failure_what_it_raised(end):
    cut = text(end, "ValueError: " + "a" * 188)
    assert Story(end, "a").fail("a").tell("a", FAILED, cut).wrong == {}
    assert Story(end, "a").fail("a").tell("a", FAILED, cut[:-1]).wrong == {"untrue": 1}
    assert Story(end, "ab").fail("ab").tell("a", FAILED, cut).tell("b", FAILED, cut).wrong == {"untrue": 1}
    assert Story(end, "a").run("a").tell("a", FAILED, cut).wrong == {"untrue": 1}
    assert Story(end, "a").fail("a").tell("a").wrong == {"corrupted": 1}


@BOTH
def test_time_out_comes_when_the_time_is_up(end):
    for run in ("", "A"):
        assert Story(end, "A").run(run).wait().tell("A", TIMED_OUT).wrong == {}
        assert Story(end, "A").run(run).wait(0.9).tell("A", TIMED_OUT).wrong == {"untrue": 1}
    assert Story(end, "A").wait(1 + LATE_S[end]).tell("A", TIMED_OUT).wrong == {"untrue": 1}
    assert Story(end, "a").wait(LONG_MS / 1000).tell("a", TIMED_OUT).wrong == {"lost": 1}


@BOTH
def test_no_handler_begins_after_its_time_or_after_its_caller_was_told(end):
    assert Story(end, "A").wait().tell("A", TIMED_OUT).run("A").wrong == {}  # it was on its way
    late = Story(end, "A").wait().tell("A", TIMED_OUT).wait(ON_ITS_WAY_S).run("A")
    assert late.wrong == {"untrue": 1}
    story = Story(end, "a").begin(OTHER[end])
    restarted = text(end, CLIENT_RESTARTED if end == SERVER else SERVER_RESTARTED)
    assert story.tell("a", FAILED, restarted).wrong == {}
    assert story.run("a").wrong == {"untrue": 1}


@BOTH
def test_link_that_is_down_and_memory_that_is_short_ask_nothing(end):
    assert Story(end).ask("a", waits=False).tell("a", DOWN).wrong == {}
    assert Story(end, "a").tell("a", DOWN).wrong == {"untrue": 1}
    assert Story(end).ask("a", waits=False).tell("a", DOWN).run("a").wrong == {"untrue": 1}
    assert Story(end, "a").tell("a", NO_MEMORY).wrong == {"untrue": 1}  # none has failed


def test_client_whose_memory_failed_has_asked_nothing_unless_its_time_is_up():
    def story(seconds):
        story = Story(CLIENT, "A")
        story.memory = 1
        return story.wait(seconds).tell("A", NO_MEMORY)

    assert story(0.5).wrong == story(1).wrong == story(1).run("A").wrong == {}
    assert story(0.5).run("A").wrong == {"untrue": 1}


@BOTH
def test_one_that_was_cancelled_may_run_once(end):
    assert Story(end, "a").tell("a", CANCELLED).wrong == {}
    assert Story(end, "a").tell("a", CANCELLED).run("a").wrong == {}
    assert Story(end, "a").run("a").tell("a", CANCELLED).run("a").wrong == {"duplicated": 1}


def test_handler_of_the_server_never_runs_again():
    story = Story(CLIENT, "ab").run("a").begin(SERVER).tell("a", FAILED, text(CLIENT, SERVER_RESTARTED))
    assert story.run("b").tell("b").wrong == {}
    assert Story(CLIENT, "a").run("a").begin(SERVER).run("a").tell("a").wrong == {"duplicated": 1}
    assert Story(CLIENT, "a").run("a").begin(CLIENT).run("a").wrong == {"duplicated": 1}


def test_server_is_restarted_only_if_it_was_and_has_not_run_it_since():
    def story(*ends, run=""):
        story = Story(CLIENT, "a")
        for end in ends:
            story.begin(end)
        return story.run(run).tell("a", FAILED, text(CLIENT, SERVER_RESTARTED))

    assert story(SERVER).wrong == {}
    assert story().wrong == {"untrue": 1}
    assert story(SERVER, run="a").wrong == {"untrue": 1}
    assert Story(CLIENT, "a").begin(SERVER).tell("a", FAILED, text(CLIENT, CLIENT_RESTARTED)).wrong == {"untrue": 1}


def test_client_is_restarted_only_if_it_was():
    story = Story(SERVER, "a").run("a").begin(CLIENT).tell("a", FAILED, text(SERVER, CLIENT_RESTARTED))
    assert story.wrong == {}
    assert Story(SERVER, "a").tell("a", FAILED, text(SERVER, CLIENT_RESTARTED)).wrong == {"untrue": 1}
    story = Story(SERVER, "a").begin(CLIENT).run("a").tell("a", FAILED, text(SERVER, CLIENT_RESTARTED))
    assert story.wrong == {"untrue": 1}


def test_handler_is_interrupted_only_if_memory_was_short():
    for said in (INTERRUPTED, "MemoryError"):
        story = Story(SERVER, "a").run("a")
        story.memory += 1
        assert story.tell("a", FAILED, text(SERVER, said)).wrong == {}
        assert Story(SERVER, "a").run("a").tell("a", FAILED, text(SERVER, said)).wrong == {"untrue": 1}
        story = Story(CLIENT, "a").run("a")
        story.memory += 1
        assert story.tell("a", FAILED, text(CLIENT, said)).wrong == {"untrue": 1}


def test_next_life_of_the_client_runs_again_what_it_had_not_acknowledged():
    story = Story(SERVER, "ab").run("ab").begin(CLIENT).run("ab").tell("ab")
    assert story.wrong == {} and story.ledger.seen_twice == 2
    assert Story(SERVER, "ab").run("a").tell("a").begin(CLIENT).run("ab").tell("b").wrong == {"duplicated": 1}
    # The answer to a later one has shown that it was acknowledged.
    assert Story(SERVER, "ab").run("ab").tell("b").begin(CLIENT).run("a").tell("a").wrong == {"duplicated": 1}
    killed = Story(SERVER, "ab").run("ab").tell("b").begin(SERVER).begin(CLIENT).run("ab")
    assert killed.wrong == {}


@BOTH
def test_one_whose_caller_has_ended_runs_if_a_later_one_of_it_does(end):
    def story(run):
        return Story(end, "abc").begin(end).run(run)

    assert story("").wrong == story("a").wrong == story("ab").wrong == {}
    assert story("b").wrong == {"lost": 1}
    assert story("c").wrong == {"lost": 2}
    assert Story(end, "Ab").begin(end).run("b").wrong == {}  # it was late
    assert Story(end, "ab").begin(end).begin(OTHER[end]).run("b").wrong == {}  # begun in the life before


@BOTH
def test_those_that_wait_for_a_place_have_no_order(end):
    letters = "".join(chr(0x4E00 + number) for number in range(PLACES[end] + 2))
    *first, one, two = letters
    assert Story(end, letters).run([*first, two, one]).tell(letters).wrong == {}
    assert Story(end, letters).run([*first[1:], first[0], one, two]).tell(letters).wrong == {"reordered": 1}


def test_run_is_complete_when_all_calls_have_returned():
    changes = []
    story = Story(CLIENT, "abcdefgh")
    ledger = story.ledger
    ledger.lines = 8
    ledger.on_change = lambda: changes.append(ledger.delivered)
    story.run("abcdefgh").tell("abcdefgh")
    assert changes == list(range(1, 9)) and not ledger.complete()
    ledger.has_finished(CLIENT)
    assert not ledger.complete()
    for number in range(8):
        ledger.asks(SERVER, number, b"%d" % number, LONG_MS, True)
    ledger.begins(SERVER)  # the callers have ended
    assert ledger.delivered == 16 and not ledger.complete()
    ledger.has_finished(SERVER)
    assert ledger.complete()
    assert ledger.outcomes == {ANSWERED: 8, GONE: 8}
    ledger.begins(CLIENT)
    assert not ledger.complete()


def test_attempts_that_met_no_memory_are_one_request():
    story = Story(CLIENT, "a")
    story.memory = 1
    story.tell("a", NO_MEMORY)
    assert story.ledger.delivered == 0
    call = story.ledger.asks(CLIENT, 0, b"again", LONG_MS, True)
    story.ledger.returns(story.ledger.runs(SERVER, b"again"), b"it")
    story.ledger.told(call, ANSWERED, b"it")
    assert story.ledger.delivered == 1 and story.wrong == {}
    assert story.ledger.verdict()[0]["sent"] == story.ledger.verdict()[0]["delivered"] == 1
