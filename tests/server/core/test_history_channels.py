"""What test_history.py tests of lines, with messages on two channels beside them."""

import pytest

from tests.server.branches import Disk
from tests.server.channel_branches import CHANNELS, Client, Connection, Server
from tests.server.core import test_history
from tests.server.core.test_history import MOVES, RESTORES, lines


class Story(test_history.Story):
    """Chance has messages on all channels written, by both ends."""

    def __init__(self, seed, acts, strict):
        super().__init__(seed, acts, strict)
        self.client = Client()
        self.servers = [Server(Disk())]

    def up(self):
        channel = self.chance.choice((0, *CHANNELS))
        self.client.write(b"up %d %s" % (channel, self._name()), channel)

    def down(self):
        channel = self.chance.choice((0, *CHANNELS))
        self.chance.choice(self.servers).write(b"down %d %s" % (channel, self._name()), channel)

    def in_order(self, received):
        for channel in (0, *CHANNELS):
            found = [line for line in received if line.startswith(b"up %d " % channel)]
            assert found == sorted(found, key=self.client.written.index)


@pytest.fixture(autouse=True)
def channels(monkeypatch):
    for one in (Client, Connection, Server):
        monkeypatch.setattr(test_history, one.__name__, one)


def met():
    """A client and a server that have two messages of each other on each channel, and then are apart."""
    client, server = Client(), Server(Disk())
    for channel in (0, *CHANNELS):
        for line in lines(b"%d" % channel, 2):
            client.write(b"up " + line, channel)
            server.write(b"down " + line, channel)
    drained(client, server)
    return client, server


def drained(client, server):
    connection = Connection(client, server)
    connection.drain()
    connection.cut()


@pytest.mark.parametrize("channel", (0, *CHANNELS))
def test_messages_written_by_a_restored_server_are_not_taken_for_those_that_the_client_has(channel):
    """On one channel, and only lines numbered as those that the client has: the others go on as they were."""
    client, server = met()
    disk = server.disk.copy()
    for line in lines(b"since", 3):
        server.write(line, channel)
    drained(client, server)
    restored = Server(disk)
    for line in lines(b"after", 5):
        restored.write(line, channel)
    for one in (0, *CHANNELS):
        restored.write(b"all %d" % one, one)
    drained(client, restored)
    expected = [*lines(b"since", 3), *lines(b"after", 5), *(b"all %d" % one for one in (0, *CHANNELS))]
    assert sorted(client.read[6:]) == sorted(expected)
    assert [unknown for _, unknown in restored.events] == [3]


@pytest.mark.parametrize("channel", (0, *CHANNELS))
def test_message_of_another_channel_that_a_restored_server_wrote_is_no_part_of_the_common_past(channel):
    """The serials of both branches are the same, the channels are not."""
    client, server = met()
    disk = server.disk.copy()
    server.write(b"since", channel)
    drained(client, server)
    restored = Server(disk)
    others = [one for one in (0, *CHANNELS) if one != channel]
    for one in others:
        restored.write(b"after %d" % one, one)
    drained(client, restored)
    assert sorted(client.read[6:]) == sorted([b"since", *(b"after %d" % one for one in others)])
    assert restored.events == [(0, 1)]


@pytest.mark.parametrize("channel", CHANNELS)
def test_messages_of_the_client_on_a_channel_that_the_copy_does_not_have_are_counted(channel):
    client, server = met()
    disk = server.disk.copy()
    for line in lines(b"since", 7):
        client.write(line, channel)
    drained(client, server)
    client.write(b"line")
    client.write(b"after", channel)
    restored = Server(disk)
    drained(client, restored)
    assert restored.events == [(7, 0)] and "know of 7 lines that had been acknowledged" in client.session.news
    assert sorted(restored.disk.received[6:]) == [b"after", b"line"], "and no line comes twice"
    again = Server(restored.disk)
    drained(client, again)
    assert again.events == []


def test_restarts_are_no_other_past():
    client, server = met()
    for number in range(40):
        server = Server(server.disk)
        server.write(b"%d" % number, (0, *CHANNELS)[number % 3])
        if number % 4 == 0:
            drained(client, server)
    drained(client, server)
    assert server.events == [] and sorted(client.read[6:], key=int) == [b"%d" % number for number in range(40)]


@pytest.mark.parametrize("channel", CHANNELS)
def test_message_that_was_acknowledged_after_the_common_past_is_not_taken_for_part_of_it(channel):
    """As many messages in one branch as in the other, and the client has accepted them in both."""
    client, server = met()
    copy = Server(server.disk.copy())
    server.write(b"here", channel)
    drained(client, server)
    copy.write(b"there", channel)
    drained(client, copy)
    assert copy.events == [(0, 1)]
    drained(client, server)
    assert server.events == [(0, 1)] and client.read[6:] == [b"here", b"there"]


def test_boards_with_one_id_that_take_turns_are_no_news_of_the_store():
    client, server = met()
    other = Client()
    for turn in range(3):
        for board in (other, client):
            drained(board, server)
            drained(board, server)
            board.write(b"turn %d" % turn, 5)
            drained(board, server)
    assert server.events == []
    assert server.disk.received[6:] == [b"turn %d" % turn for turn in range(3) for _ in range(2)]


def test_acknowledgement_on_one_channel_does_not_hide_what_waits_on_another():
    """The client has the newest message of one channel, and older ones of another wait in the copy."""
    client, server = met()
    server.write(b"waits", 5)
    disk = server.disk.copy()
    server.write(b"newer", 9)
    drained(client, server)
    restored = Server(disk)
    restored.write(b"after", 9)
    drained(client, restored)
    assert client.read[6:].count(b"waits") == 1 and sorted(client.read[6:]) == [b"after", b"newer", b"waits"]


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize(
    ("acts", "strict"),
    [(RESTORES, True), (MOVES, True), (RESTORES + MOVES + ("fork",), False)],
    ids=["restored", "moved and moved back", "anything, and twice is allowed"],
)
def test_no_message_is_lost_or_comes_twice_whatever_is_restored_and_moved(acts, strict, part):
    for seed in range(60 * part, 60 * part + 60):
        try:
            Story(seed, acts, strict).play(60)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}")
