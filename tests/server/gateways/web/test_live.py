"""Streams: what they begin with, who takes nothing, how many there may be."""

import asyncio
import itertools
import math

import pytest

from server.gateways.web import gateway, live
from server.gateways.web.live import Live
from server.gateways.web.routes import Failure
from server.gateways.web.views import View
from tests.server.gateways.web.bed import served_test
from tests.server.peer import until, within


def test_snapshot_and_then_changes(tmp_path):
    async def test(found):
        browser = found.browser()
        await browser.log_in("vic")
        async with browser.stream("/api/events?view=clients&text=pump") as event:
            name, data = await event()
            assert name == "snapshot" and [row["id"] for row in data["clients"]] == ["pump"]
            found.fleet.connect("valve")
            found.fleet.connect("pump")
            name, data = await event()
            assert name == "change" and [row["id"] for row in data["clients"]] == ["pump"]
            assert data["states"] == {"connected": 2, "away": 0, "never": 0}

    served_test(tmp_path, test, "pump", "valve")


def test_what_no_event_tells_is_looked_at_while_somebody_looks_on(tmp_path, monkeypatch):
    monkeypatch.setattr(gateway, "SAMPLE_S", 0.02)
    passed = itertools.count(0, 1_000_000)  # bytes, at each look

    async def test(found):
        browser = found.browser()
        await browser.log_in("vic")
        pump = found.fleet.clients["pump"]
        pump.unread, pump.lines = 7, ["waits"]
        found.fleet.passed = lambda name: (0, next(passed))
        async with browser.stream("/api/events?view=clients&text=pump") as event:
            row = (await event())[1]["clients"][0]
            while not row["bytes_per_s"] or row["waiting_lines"] != 1:
                row = (await event())[1]["clients"][0]
            assert row["unread_lines"] == 7 and row["lines_per_s"] == 0
        await until(lambda: found.gateway.live.viewers == 0, "the end of the stream")
        await until(lambda: found.gateway.overview.row("pump")["bytes_per_s"] is None, "the end of the looks")

    served_test(tmp_path, test, "pump")


def test_line_of_a_client_is_one_field_of_one_event(tmp_path):
    async def test(found):
        browser = found.browser()
        await browser.log_in("vic")
        text = "\rdata: forged\r\revent: end\u2028"  # no line has a newline in it
        async with browser.stream("/api/events?view=client&id=pump") as event:
            await event()
            found.fleet.receive("pump", text.encode())
            name, data = await event()
            assert name == "change" and data["lines"][0]["text"] == text

    served_test(tmp_path, test, "pump")


def test_text_is_one_field_of_one_event():
    event = live._event("change", {"text": "\r\ndata: forged\n\nevent: end\u2028"})
    assert event.isascii() and event.count(b"\n") == 3 and b"\r" not in event


def test_number_that_json_cannot_have_is_null():
    assert live._event("change", {"at": math.nan}) == b'event: change\ndata: {"at":null}\n\n'


class Viewer:
    """The other end of a stream, which takes `takes` parts of it and then nothing."""

    def __init__(self, takes):
        self.parts = []
        self.aborted = False
        self._takes = takes
        self.scope = {"state": {"lasts": lambda: None, "abort": self._abort}}

    def _abort(self):
        self.aborted = True

    async def receive(self):
        await asyncio.get_running_loop().create_future()

    async def send(self, message):
        if len(self.parts) == self._takes:
            await asyncio.get_running_loop().create_future()
        self.parts.append(message)


class Counting(View):
    """A view that always changes, and counts how often it was asked."""

    asked = 0

    def snapshot(self):
        return {}

    def change(self):
        self.asked += 1
        return {"number": self.asked}


def test_viewer_that_takes_nothing_has_no_queue_and_is_cut(monkeypatch):
    monkeypatch.setattr(live, "TICK_S", 0.001)
    monkeypatch.setattr(live, "SEND_S", 0.2)

    async def test():
        streams, view, viewer = Live(), Counting(), Viewer(takes=4)
        await streams.stream(view, lambda: True)(viewer.scope, viewer.receive, viewer.send)
        assert viewer.aborted and streams.viewers == 0
        assert view.asked == 3  # head, snapshot, two changes, and the one that was not taken

    asyncio.run(within(test()))


def test_quiet_stream_shows_that_it_lives(monkeypatch):
    monkeypatch.setattr(live, "TICK_S", 0.001)
    monkeypatch.setattr(live, "QUIET_S", 0.003)
    view = Counting()
    view.change = lambda: None

    async def test():
        streams, viewer = Live(), Viewer(takes=10)
        task = asyncio.create_task(streams.stream(view, lambda: True)(viewer.scope, viewer.receive, viewer.send))
        await until(lambda: len(viewer.parts) > 3, "comments")
        streams.close()
        await task
        assert {part["body"] for part in viewer.parts[2:-1]} == {b":\n\n"}
        assert viewer.parts[-1]["more_body"] is False

    asyncio.run(within(test()))


def test_streams_have_the_same_ticks_and_share_the_bytes_of_what_is_the_same(monkeypatch):
    monkeypatch.setattr(live, "TICK_S", 0)  # a tick is due before all streams have had the one before
    happened, change = [], {}

    class Shared(View):
        def snapshot(self):
            return {}

        def change(self):
            happened.append("view")
            return change

    def refresh():
        change.clear()
        change["tick"] = happened.count("begin") + 1
        happened.append("begin")
        yield
        happened.append("end")
        yield

    async def test():
        streams, viewers = Live(refresh), [Viewer(takes=8) for _ in range(3)]
        tasks = [
            asyncio.create_task(streams.stream(Shared(), lambda: True)(viewer.scope, viewer.receive, viewer.send))
            for viewer in viewers
        ]
        await until(lambda: all(len(viewer.parts) == 8 for viewer in viewers), "changes")
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        bodies = [[part["body"] for part in viewer.parts[2:]] for viewer in viewers]
        assert len(set(map(tuple, bodies))) == 1 and len(set(bodies[0])) == len(bodies[0])
        assert all(len({id(body) for body in some}) == 1 for some in zip(*bodies))
        assert happened[: 5 * len(bodies[0])] == ["begin", "end", "view", "view", "view"] * len(bodies[0])

    asyncio.run(within(test()))


def test_changes_that_nobody_keeps_are_not_taken_for_each_other():
    streams = Live()
    for number in range(10):  # of objects that have gone, the next one may have the id
        assert streams.event_of({"number": number}) == live._event("change", {"number": number})


def test_each_stream_and_each_step_of_the_refresh_has_a_pass_of_the_loop_for_itself(monkeypatch):
    monkeypatch.setattr(live, "TICK_S", 0.001)
    passes, made = [0], []

    async def count():
        while True:
            await asyncio.sleep(0)
            passes[0] += 1

    def refresh():
        for _ in range(3):
            made.append(passes[0])
            yield

    async def test():
        streams, counting, tasks = Live(refresh), asyncio.create_task(count()), []
        for _ in range(5):
            view, viewer = Counting(), Viewer(takes=3)
            view.change = lambda: made.append(passes[0]) or {}
            stream = streams.stream(view, lambda: True)
            tasks.append(asyncio.create_task(stream(viewer.scope, viewer.receive, viewer.send)))
        await until(lambda: len(made) >= 8, "a tick")
        for task in [counting, *tasks]:
            task.cancel()
        await asyncio.gather(counting, *tasks, return_exceptions=True)
        assert len(set(made[:8])) == 8

    asyncio.run(within(test()))


def test_fault_of_the_refresh_ends_the_streams_and_no_later_one(monkeypatch):
    monkeypatch.setattr(live, "TICK_S", 0.001)
    faults = [RuntimeError("a fault")]

    def refresh():
        yield
        if faults:
            raise faults.pop()

    async def test():
        streams = Live(refresh)

        def stream(viewer):
            return streams.stream(Counting(), lambda: True)(viewer.scope, viewer.receive, viewer.send)

        ended = await asyncio.gather(*(stream(Viewer(takes=10)) for _ in range(3)), return_exceptions=True)
        assert [str(error) for error in ended] == ["a fault"] * 3 and streams.viewers == 0
        viewer = Viewer(takes=10)
        task = asyncio.create_task(stream(viewer))
        await until(lambda: len(viewer.parts) > 4, "changes")
        streams.close()
        await task

    asyncio.run(within(test()))


def test_closed_streams_wait_for_no_tick(monkeypatch):
    monkeypatch.setattr(live, "TICK_S", 600)

    async def test():
        streams = Live()
        waiting = [asyncio.create_task(streams.pause()) for _ in range(3)]
        await asyncio.sleep(0)
        streams.close()
        assert await asyncio.gather(*waiting) == [False] * 3
        assert await streams.pause() is False
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(test())


def test_tick_that_is_cancelled_is_as_one_that_came(monkeypatch):
    monkeypatch.setattr(live, "TICK_S", 600)

    async def test():
        streams = Live()
        for passes in range(3):
            waiting = asyncio.create_task(streams.pause())
            for _ in range(passes + 1):
                await asyncio.sleep(0)
            streams._ticking.cancel()
            assert await waiting is True

    asyncio.run(within(test()))


def test_viewers_are_bounded_and_one_that_leaves_makes_room():
    async def test():
        streams, tasks = Live(), []
        for _ in range(live.MAX_VIEWERS):
            viewer = Viewer(takes=2)
            stream = streams.stream(Counting(), lambda: True)
            tasks.append(asyncio.create_task(stream(viewer.scope, viewer.receive, viewer.send)))
        await until(lambda: streams.viewers == live.MAX_VIEWERS, "all of them")
        with pytest.raises(Failure, match="look on already"):
            streams.stream(Counting(), lambda: True)
        tasks[0].cancel()
        await until(lambda: streams.viewers == live.MAX_VIEWERS - 1, "the end of one")
        streams.stream(Counting(), lambda: True)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(within(test()))


def test_page_that_is_closed_is_no_viewer(tmp_path):
    async def test(found):
        browser = found.browser()
        await browser.log_in("vic")
        async with browser.stream("/api/events?view=log") as event:
            await event()
            assert found.gateway.live.viewers == 1
        await until(lambda: found.gateway.live.viewers == 0, "its end")

    served_test(tmp_path, test)


def test_head_of_a_stream_makes_no_viewer_without_an_end(tmp_path):
    async def test(found):
        browser = found.browser()
        await browser.log_in("vic")
        assert (await browser.ask("HEAD", "/api/events")).status == 405
        assert found.gateway.live.viewers == 0

    served_test(tmp_path, test)
