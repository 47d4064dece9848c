"""What the ledger of a channel calls a violation, and what the promise excuses."""

import pytest

from sim.virtual.channel_ledger import ACCEPTED, EXPIRED, ChannelLedger


class Clock:
    """Instead of a World."""

    tracer = None
    begin_s = now = 0.0


class Story:
    """Messages are letters. A capital has a limit of a second. Each method is what an application does or is told."""

    def __init__(self, down="", up="", waited=""):
        self.clock = Clock()
        self.ledger = ledger = ChannelLedger(self.clock, 9)
        ledger.processes = 1
        self.boot()
        for end, where, messages in (("server", ledger.server_written, down), ("client", self.life.written, up)):
            for one in messages:
                ledger.wrote(where, end, one)
                if one.isupper():
                    ledger.limited(one, 1000)
        self.say(waited, ACCEPTED)

    def boot(self):
        self.life = self.ledger.new_life()
        return self

    def wait(self, seconds=1.0):
        self.clock.now += seconds
        return self

    def say(self, messages, said):
        for one in messages:
            self.ledger.reported(one, said)
        return self

    def client_reads(self, messages):
        self.life.read.extend(messages)
        return self

    def server_reads(self, messages):
        self.ledger.server_read.extend(messages)
        return self

    def wrong(self, way):
        counts = self.ledger.verdict()[way]
        return {name: count for name, count in counts.items() if count and name not in ("sent", "delivered")}


THERE, BACK = 0, 1


def up(messages, read, waited=""):
    return Story(up=messages, waited=waited).server_reads(read).wrong(THERE)


def down(messages, read, waited=""):
    return Story(down=messages, waited=waited).client_reads(read).wrong(BACK)


@pytest.mark.parametrize("way", [up, down])
def test_each_is_read_once_in_order_and_as_it_was_written(way):
    assert way("abc", "abc") == {}
    assert way("abc", "ac") == {"lost": 1}
    assert way("abc", "ab") == {"lost": 1}
    assert way("abc", "abbc") == {"duplicated": 1}
    assert way("abc", "abca") == {"duplicated": 1}
    assert way("abc", "abxc") == {"corrupted": 1}
    assert way("abc", "acb") == {"reordered": 1}


@pytest.mark.parametrize("way", [up, down])
def test_one_with_a_limit_is_read_or_not_unless_it_was_said_to_be_accepted(way):
    assert way("aBc", "aBc") == way("aBc", "ac") == way("aB", "a") == {}
    assert way("aBc", "aBc", waited="B") == {}
    assert way("aBc", "ac", waited="B") == {"lost": 1}
    assert way("aBc", "aBBc") == {"duplicated": 1}
    assert way("aBc", "acB") == {"reordered": 1}


@pytest.mark.parametrize(("way", "number"), [("up", THERE), ("down", BACK)])
def test_one_that_is_said_to_have_expired_is_not_read(way, number):
    def wrong(read):
        story = Story(**{way: "aBc"}).wait().say("B", EXPIRED)
        return (story.client_reads(read) if way == "down" else story.server_reads(read)).wrong(number)

    assert wrong("ac") == {}
    assert wrong("aBc") == {"untrue": 1}


@pytest.mark.parametrize(("way", "number"), [("up", THERE), ("down", BACK)])
def test_nothing_expires_before_its_time_or_without_a_limit(way, number):
    assert Story(**{way: "B"}).wait(0.5).say("B", EXPIRED).wrong(number) == {"untrue": 1}
    assert Story(**{way: "B"}).wait(1.0).say("B", EXPIRED).wrong(number) == {}
    assert Story(**{way: "b"}).wait().say("b", EXPIRED).wrong(number)["untrue"] == 1


def test_life_of_the_client_may_lose_what_was_not_accepted():
    story = Story(up="abcD")
    story.life.acknowledged = 2  # a and b
    story.boot()
    assert story.wrong(THERE) == {"lost": 2}
    assert story.server_reads("a").wrong(THERE) == {"lost": 1}
    assert story.server_reads("b").wrong(THERE) == {}


def test_next_life_reads_again_what_the_one_before_had_not_acknowledged():
    assert Story("abcd").client_reads("abc").boot().client_reads("bcd").wrong(BACK) == {}
    assert Story("abcd").client_reads("abc").boot().client_reads("bd").wrong(BACK) == {"lost": 1}
    assert Story("abcd").client_reads("ab").boot().client_reads("d").wrong(BACK) == {"lost": 1}
    story = Story("abcd").client_reads("abc").boot().client_reads("b").boot().client_reads("cd")
    assert story.wrong(BACK) == {}
    assert story.ledger.seen_twice == 2


def test_what_the_server_was_told_is_not_read_again_while_its_process_lives():
    def story():
        return Story("abc").client_reads("ab").say("a", ACCEPTED)

    assert story().boot().client_reads("bc").wrong(BACK) == {}
    assert story().boot().client_reads("abc").wrong(BACK) == {"duplicated": 1}
    killed = story()
    killed.ledger.processes += 1
    assert killed.boot().client_reads("abc").wrong(BACK) == {}


def test_one_that_a_life_had_read_when_it_ended_may_expire_for_the_next():
    story = Story("aBc").client_reads("aB").boot().wait().say("B", EXPIRED)
    assert story.client_reads("c").wrong(BACK) == {}
    story = Story("aBc").client_reads("aB").wait().say("B", EXPIRED).boot()
    assert story.client_reads("c").wrong(BACK) == {"untrue": 1}
    story = Story("aBc").client_reads("a").boot().wait().say("B", EXPIRED).client_reads("Bc")
    assert story.wrong(BACK) == {"untrue": 1}


def test_message_of_a_killed_process_may_be_lost_or_read():
    for read in ("abc", "ac"):
        story = Story("abc").client_reads(read)
        story.ledger.unfinished.append("b")
        assert story.wrong(BACK) == {}


def test_run_is_complete_when_all_that_must_come_has_come():
    story = Story("abC", "deF")
    ledger = story.ledger
    ledger.has_finished(ledger)
    ledger.has_finished(story.life)
    assert not ledger.complete()
    story.client_reads("ab")
    assert not ledger.complete()
    story.server_reads("de")
    assert ledger.complete()
    story.say("C", ACCEPTED)
    assert not ledger.complete()
    story.client_reads("C")
    assert ledger.complete()


def test_expired_messages_count_as_progress():
    story = Story("aB").client_reads("a")
    changes = []
    story.ledger.on_change = lambda: changes.append(story.ledger.delivered)
    story.wait().say("B", EXPIRED)
    assert changes == [2] and story.ledger.expired == 1
