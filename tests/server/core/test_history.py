"""A client whose server's store is not what it was: restored, rolled back, moved and moved back."""

import contextlib
import random

import pytest

from protocol.frame import MAX_RUNS
from server.core.history import RUNS, begin_run, runs_around
from server.core.printed_log import PrintedLog
from tests.server.branches import Client, Connection, Disk, Server


def lines(prefix, count):
    return [b"%s %d" % (prefix, i) for i in range(count)]


def met():
    """A client and a server that have five lines of each other."""
    client, server = Client(), Server(Disk())
    for line in lines(b"up", 5):
        client.write(line)
    for line in lines(b"down", 5):
        server.write(line)
    return client, server


def drained(client, server):
    connection = Connection(client, server)
    connection.drain()
    return connection


RESTORES = ("restart", "copy", "copy", "restore", "restore")
MOVES = ("restart", "move", "move")


class Story:
    """Chance moves a client among servers, and copies, restores, restarts and cuts. What must hold is checked.

    acts: what happens besides lines and connections. strict: copies only of a store that the client was in the present
    run of, not older than the runs that it remembers, and no way back from a restored one: then nothing may come twice.
    docs/protocol.md section 6 says why.
    """

    def __init__(self, seed, acts, strict):
        self.chance = random.Random(seed)
        self.acts = acts
        self.strict = strict
        self.client = Client()
        self.servers = [Server(Disk())]
        self.copies = []  # (Disk, starts until then)
        self.starts = 0
        self.connection = None
        self.serial = 0

    @property
    def server(self):
        return self.servers[0]

    def play(self, steps):
        acts = [self.exchange] * 6 + [self.up] * 3 + [self.down] * 3 + [self.cut] * 2 + [self.connect] * 3
        acts += [getattr(self, name) for name in self.acts]
        for _ in range(steps):
            self.chance.choice(acts)()
        self.check()

    def _name(self):
        self.serial += 1
        return b"%d" % self.serial

    def up(self):
        self.client.write(b"up " + self._name())

    def down(self):
        """On whichever of the servers: the client is with the first."""
        self.chance.choice(self.servers).write(b"down " + self._name())

    def cut(self):
        if self.connection is not None:
            self.connection.cut()
            self.connection = None

    def connect(self):
        self.cut()
        self.connection = Connection(self.client, self.server)

    def exchange(self):
        if self.connection is None:
            self.connect()
        # A RESUME of the server may be lost, and any frames after it; the application may be slow.
        limits = self.chance.choice(((1000, 1000, 1000), (1, 0, 0), (2, 1, 0), (1000, 0, 1), (1000, 2, 2)))
        with self._counted():
            self.connection.exchange(*limits)

    @contextlib.contextmanager
    def _counted(self):
        """What the server says to be lost is what is: acknowledged, not in its store, and not told before."""
        disk, events = self.server.disk, len(self.server.events)
        acknowledged = self.client.acknowledged()
        gone = len(set(acknowledged) - set(disk.received)) - disk.told_lost
        yield
        told = sum(lines for lines, _ in self.server.events[events:])
        assert told in (0, gone), "it is counted"
        disk.told_lost += told

    def restart(self):
        self.cut()
        at = self.chance.randrange(len(self.servers))
        self.starts += 1
        self.servers[at] = Server(self.servers[at].disk)

    def copy(self):
        server = self.chance.choice(self.servers)
        if not self.strict or server.session.resumes:
            self.copies.append((server.disk.copy(), self.starts))

    def restore(self):
        if self.strict:
            self.copies = [one for one in self.copies if self.starts - one[1] < MAX_RUNS - 1]
        if self.copies:
            self.cut()
            at = self.chance.randrange(len(self.copies))
            self.starts += 1
            self.servers[0] = Server(self.copies[at][0].copy())
            if self.strict:
                del self.copies[at + 1 :]

    def fork(self):
        """A copy begins at once as another server, beside the one."""
        if len(self.servers) < 3:
            self.servers.append(Server(self.server.disk.copy()))

    def move(self):
        """The client's address becomes that of another server."""
        self.cut()
        if len(self.servers) == 1:
            self.servers.append(Server(Disk()))
        self.servers.append(self.servers.pop(0))

    def in_order(self, received):
        assert received == sorted(received, key=self.client.written.index)

    def check(self):
        self.cut()
        connection = Connection(self.client, self.server)
        with self._counted():
            connection.drain()
        disk = self.server.disk
        read = self.client.read
        assert [line for line in disk.put if line not in set(read)] == [], "no line to the client is lost"
        if self.strict:
            assert len(set(read)) == len(read), "none comes twice"
        received = disk.received
        assert len(set(received)) == len(received), "no line of the client comes twice"
        self.in_order(received)
        assert len(self.client.written) - len(received) == disk.told_lost, "what is gone has been told"
        events = len(self.server.events)
        drained(self.client, self.server)
        assert len(self.server.events) == events, "it is said once"


def copied(client, server, since=0, after=0):
    """A copy is made when both are drained; since then the server has written lines that the client has, and the
    process that was started with the copy others. Returns that one."""
    drained(client, server).cut()
    disk = server.disk.copy()
    for line in lines(b"since", since):
        server.write(line)
    drained(client, server).cut()
    restored = Server(disk)
    for line in lines(b"after", after):
        restored.write(line)
    return restored


def test_lines_written_by_a_restored_server_are_not_taken_for_those_that_the_client_has():
    """Three since, and five after: numbers alone would have three of them count as delivered."""
    client, server = met()
    restored = copied(client, server, since=3, after=5)
    drained(client, restored)
    assert client.read == lines(b"down", 5) + lines(b"since", 3) + lines(b"after", 5)
    assert restored.events == [(0, 3)]


def test_also_if_they_are_the_same_words():
    client, server = met()
    restored = copied(client, server, since=3)
    for line in lines(b"since", 3):
        restored.write(line)
    drained(client, restored)
    assert client.read == lines(b"down", 5) + 2 * lines(b"since", 3)


def test_also_if_the_restored_server_was_started_again_before_the_client_came():
    client, server = met()
    restored = copied(client, server, since=3, after=5)
    drained(client, Server(Server(restored.disk).disk))
    assert client.read == lines(b"down", 5) + lines(b"since", 3) + lines(b"after", 5)


def test_same_copy_restored_twice_gives_what_it_had_once():
    client, server = met()
    drained(client, server).cut()
    server.write(b"waiting")
    disk = server.disk.copy()
    for _ in range(2):
        restored = Server(disk.copy())
        restored.write(b"new")
        drained(client, restored).cut()
    assert client.read == lines(b"down", 5) + [b"waiting", b"new", b"new"]


def test_lines_of_the_client_that_the_copy_does_not_have_are_counted_and_the_others_come():
    client, server = met()
    drained(client, server).cut()
    disk = server.disk.copy()
    for line in lines(b"since", 7):
        client.write(line)
    drained(client, server).cut()
    client.write(b"after")
    restored = Server(disk)
    connection = drained(client, restored)
    assert restored.events == [(7, 0)] and "know of 7 lines that had been acknowledged" in client.session.news
    client.session.news = None  # it has been told
    assert restored.disk.received == lines(b"up", 5) + [b"after"]
    connection.cut()
    again = Server(restored.disk)
    drained(client, again)
    assert again.events == [] and client.session.news is None


def test_client_that_the_store_has_never_seen_tells_what_another_one_had_of_it():
    client, server = met()
    drained(client, server).cut()
    spare = Server(Disk())
    client.write(b"at the spare")
    spare.write(b"from the spare")
    drained(client, spare).cut()
    assert spare.events == [(5, 0)] and spare.disk.received == [b"at the spare"]
    server.write(b"home")
    drained(client, server).cut()
    assert server.events == [(1, 0)] and client.read == lines(b"down", 5) + [b"from the spare", b"home"]
    drained(client, spare).cut()
    assert spare.events == [(5, 0)]


def test_line_on_its_way_when_the_address_moved_comes_once_when_it_moves_back():
    client, server = met()
    drained(client, server).cut()
    server.write(b"on its way")
    connection = Connection(client, server)
    connection.exchange()
    connection.exchange(0, 1000)
    connection.cut()
    assert client.read[-1] == b"on its way" and server.session.base == 5
    drained(client, Server(Disk())).cut()
    drained(client, server)
    assert client.read == lines(b"down", 5) + [b"on its way"] and server.events == []


def test_answer_that_does_not_arrive_is_given_again_and_said_once():
    client, server = met()
    restored = copied(client, server, since=3, after=5)
    for _ in range(3):
        connection = Connection(client, restored)
        connection.exchange(1, 0)
        connection.cut()
    drained(client, restored)
    assert client.read == lines(b"down", 5) + lines(b"since", 3) + lines(b"after", 5)
    assert restored.events == [(0, 3)]


def test_new_life_of_the_client_is_no_other_past():
    client, server = met()
    drained(client, server).cut()
    drained(Client(), server)
    assert server.events == []


def test_two_boards_with_one_id_lose_nothing():
    client, server = met()
    other = Client()
    for _ in range(3):
        drained(client, server).cut()
        drained(other, server).cut()
        other.write(b"other's")
    assert server.events == []


def test_boards_with_one_id_that_take_turns_are_no_news_of_the_store():
    """Neither knows the lines that the other one got, and none of them is lost."""
    client, server = met()
    drained(client, server).cut()
    other = Client()
    for turn in range(5):
        for board in (other, client):
            server.write(b"turn %d" % turn)
            board.write(b"turn %d" % turn)
            drained(board, server).cut()
    assert server.events == []
    turns = [b"turn %d" % turn for turn in range(5)]
    assert (other.read, client.read) == (turns, lines(b"down", 5) + turns)


def test_what_a_server_says_of_an_empty_store_does_not_call_lines_lost_that_another_one_had(capsys):
    """A store in memory begins empty, though the application had them all."""
    client, server = met()
    drained(client, server).cut()
    again = Server(Disk())
    drained(client, again)
    assert again.events == [(5, 0)]
    PrintedLog().note("store_rolled_back", "a", {"lines": again.events[0][0], "unknown": again.events[0][1]})
    said = "does not know of 5 lines that the client had had acknowledged, nor of 0 that it has got"
    assert said in capsys.readouterr().out


def numbered_runs(numbers):
    """A run for each, which began at ten times its number."""
    return [(b"%8d" % number, 10 * number) for number in numbers]


def test_list_of_runs_is_bounded_and_what_it_forgets_makes_no_line_common():
    runs = []
    for number in range(3 * RUNS):
        begin_run(runs, *numbered_runs([number])[0])
    kept = 2 * MAX_RUNS - 1
    assert len(runs) == RUNS and runs[:kept] == numbered_runs(range(kept))
    assert runs[kept][1] == 10 * kept, "the next run began when the first one that was forgotten did"
    assert runs[-1] == numbered_runs([3 * RUNS - 1])[0]


@pytest.mark.parametrize("named", range(RUNS))
def test_runs_that_the_client_named_and_was_told_stay_however_many_begin(named):
    """And the line with which the next one of each began."""
    runs = runs_around(numbered_runs(range(RUNS)), b"%8d" % named)
    for number in range(RUNS, 4 * RUNS):
        begin_run(runs, *numbered_runs([number])[0])
        for run in {named, RUNS - 1}:
            at = runs.index((b"%8d" % run, 10 * run))
            assert runs[at + 1][1] == 10 * (run + 1)
    assert runs[: min(named, MAX_RUNS - 1)] == numbered_runs(range(max(0, named + 1 - MAX_RUNS), named))


def started(server, times):
    """So many starts, each of which the application writes a line in, and the client sees none of."""
    for _ in range(times):
        server = Server(server.disk)
        server.write(b"%d" % len(server.disk.put))
    return server


WAYS = {  # frames to the server, which is to answer; frames to the client
    "it stays away": None,
    "its answer is lost": (1, 0),
    "its acknowledgements are lost": (1000, 1000),
    "it acknowledges": (1000, 1000),
}


def client_among_starts(before, way, after, known=True, noted=True):
    """`before` starts; the client comes in this way; `after` starts; it comes again. Returns (lines that it read, lines
    that were written for it, events of both servers).

    known: it was there before all of this. noted: False if the process that it came to is killed before it has stored
    more than it must to answer.
    """
    client, server = Client(), Server(Disk())
    if known:
        drained(client, server).cut()
    server = started(server, before)
    events = server.events
    if WAYS[way]:
        connection = Connection(client, server)
        if not noted:
            server.resuming.note_run = noted_too_late
        connection.exchange(*WAYS[way])
        if way == "it acknowledges":
            connection.drain()
        connection.cut()
    server = started(server, after)
    drained(client, server).cut()
    return client.read, server.disk.put, events + server.events


async def noted_too_late(state):
    pass


def test_run_that_was_told_behind_more_than_eight_others_is_found_again_after_many_starts():
    """Eight starts unseen; one in which the client gets lines, and its acknowledgements are lost; thirty more."""
    read, put, events = client_among_starts(8, "its acknowledgements are lost", 30)
    assert read == put, "no line comes twice"
    assert events == []


@pytest.mark.parametrize("noted", [True, False], ids=["", "killed at once"])
@pytest.mark.parametrize("known", [True, False], ids=["", "new client"])
@pytest.mark.parametrize("way", WAYS)
def test_no_starts_that_a_client_sees_or_not_are_taken_for_another_past(way, known, noted):
    counts = [*range(1, 2 * MAX_RUNS + 2), RUNS - 1, RUNS, RUNS + 1, 2 * RUNS]
    for before in counts:
        for after in counts:
            read, put, events = client_among_starts(before, way, after, known, noted)
            assert (read == put, events) == (True, []), (before, after)


def test_client_that_stays_away_for_more_starts_than_are_kept_goes_on():
    client, server = met()
    drained(client, server).cut()
    for number in range(3 * RUNS):
        server = Server(server.disk)
        server.write(b"%d" % number)
    drained(client, server)
    assert client.read == lines(b"down", 5) + [b"%d" % number for number in range(3 * RUNS)]
    assert server.events == [] and len(client.session._runs) == MAX_RUNS * 12


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize(
    ("acts", "strict"),
    [(RESTORES, True), (MOVES, True), (RESTORES + MOVES + ("fork",), False)],
    ids=["restored", "moved and moved back", "anything, and twice is allowed"],
)
def test_no_line_is_lost_or_comes_twice_whatever_is_restored_and_moved(acts, strict, part):
    for seed in range(60 * part, 60 * part + 60):
        try:
            Story(seed, acts, strict).play(60)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}")
