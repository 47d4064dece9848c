"""Events: told to all who subscribed, whatever one of them does; refusals counted, and told within the rate limit."""

import asyncio
from pathlib import Path

from server.core.events import REFUSALS, Events
from server.core.rate_limited_log import LOGGED
from tests.server.peer import Client, Service, within


class Told(list):
    """A subscriber that keeps what it is told."""

    def __call__(self, event, client_id, details):
        self.append((event, client_id, details))

    def names(self):
        return [event for event, _, _ in self]


def fail(event, client_id, details):
    raise ValueError("of " + event)


def test_every_subscriber_is_told_in_the_order_of_subscription():
    events, order = Events(), []
    events.subscribe(lambda *what: order.append((1, what)))
    events.subscribe(lambda *what: order.append((2, what)))
    events.tell("connected", "a", peer="x")
    assert order == [(1, ("connected", "a", {"peer": "x"})), (2, ("connected", "a", {"peer": "x"}))]


def test_subscriber_may_leave_while_it_is_told():
    events, told = Events(), Told()

    def once(event, client_id, details):
        events.unsubscribe(once)

    events.subscribe(once)
    events.subscribe(told)
    events.tell("a")
    events.tell("b")
    assert told.names() == ["a", "b"]


def test_subscriber_that_raises_is_told_of_and_the_others_get_everything():
    events, before, after = Events(), Told(), Told()
    for subscriber in (before, fail, after):
        events.subscribe(subscriber)
    events.tell("connected", "a", peer="x")
    assert sorted(before.names()) == sorted(after.names()) == ["connected", "subscriber_failed"]
    _, client_id, details = before[1]
    assert (client_id, details["of"], details["error"]) == ("a", "connected", "ValueError: of connected")
    assert details["at"].startswith(__file__ + ":")
    line = int(details["at"].rpartition(":")[2])
    assert 'raise ValueError("of "' in Path(__file__).read_text().splitlines()[line - 1]


def test_subscriber_that_always_raises_does_not_fill_a_log():
    events, told = Events(), Told()
    events.subscribe(fail)
    events.subscribe(told)
    for _ in range(5 * LOGGED):
        events.tell("received", "a", lines=[])
    assert told.names().count("received") == 5 * LOGGED
    assert told.names().count("subscriber_failed") == LOGGED
    events._tell_some._period.expire()
    events.look()
    more = [details for event, _, details in told if event == "subscriber_failed_more"]
    assert more == [{"count": 4 * LOGGED}]


def test_subscriber_that_raises_harms_no_line():
    async def main():
        async with Service() as service:
            service.events.subscribe(fail)
            told = Told()
            service.events.subscribe(told)
            client = Client(service.port)
            await within(client.connect())
            conn = service.connection()
            await client.write("up")
            assert await within(conn.readline()) == "up\n"
            await within(conn.write("down"))
            assert client.lines == ["down\n"] and client.up and conn.nconns == 1
            assert {"connected", "received", "acknowledged"} <= set(told.names())

    asyncio.run(main())


def test_refusals_are_counted_by_kind_and_told_within_the_rate_limit():
    events, told = Events(), Told()
    events.subscribe(told)
    for kind in REFUSALS:
        for number in range(LOGGED):
            events.refused("here", str(number), kind)
    assert events.refusals == dict.fromkeys(REFUSALS, LOGGED)
    assert told == [("refused", None, {"peer": "here", "reason": str(number)}) for number in range(LOGGED)]


def test_subscriber_whose_error_has_no_words_harms_nobody():
    class Wordless(Exception):
        def __str__(self):
            raise RuntimeError

    def fail_without_words(event, client_id, details):
        raise Wordless

    events, told = Events(), Told()
    events.subscribe(fail_without_words)
    events.subscribe(told)
    events.tell("connected", "a")
    assert {event: details for event, _, details in told}["subscriber_failed"]["error"] == "Wordless"
    assert "connected" in told.names()
