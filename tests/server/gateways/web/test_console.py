"""The console by the API: what is shown, to whom, and who may type."""

import asyncio

import pytest

from server.gateways.web import console
from server.gateways.web.console import ConsoleView
from tests.server.gateways.web.bed import Fleet, served_test
from tests.server.gateways.web.test_devices import with_ann
from tests.server.peer import until


def test_view_tells_only_what_is_new():
    fleet = Fleet("pump")
    fleet.print("pump", "one\ntw")
    view = ConsoleView(fleet.consoles, "pump")
    first = view.snapshot()
    assert [line["text"] for line in first["lines"]] == ["one"]
    assert (first["begun"], first["used"], first["refused"]) == ("tw", True, None)
    assert view.change() is None
    fleet.print("pump", "o\n>>> ")
    change = view.change()
    assert [line["text"] for line in change.pop("lines")] == ["two"] and change == {"begun": ">>> "}
    fleet.repl.clear()
    assert "does not allow the REPL" in view.change()["refused"]
    for number in range(console.MAX_LINES + 5):
        fleet.print("pump", f"{number}\n")
    change = view.change()
    assert len(change["lines"]) == console.MAX_LINES and change["missed"] == 5
    assert len(view.snapshot()["lines"]) == console.MAX_LINES and view.change() is None


def test_control_characters_are_escapes(tmp_path):
    async def test(found, browser):
        found.fleet.print("pump", "\x1b]52;c;aGk=\x07 \x08a\tb \u202e\nred \x9b31m")
        answer = (await browser.get("/api/console/pump")).json
        assert answer["lines"][0]["text"] == "\\x1b]52;c;aGk=\\x07 \\x08a\tb \\u202e"
        assert answer["begun"] == "red \\u009b31m" and answer["number"] == 1

    with_ann(tmp_path, test, "pump")


def test_what_is_typed_reaches_the_client_and_is_not_in_the_log(tmp_path):
    async def test(found, browser):
        found.fleet.connect("pump")
        found.fleet.print("pump", ">>> ")
        assert (await browser.post("/api/console/pump", {"input": "secret = 7\r"})).json == {"sent": True}
        assert found.fleet.clients["pump"].typed == [b"secret = 7\r"]
        assert ("web_typed", "pump", {"user": "ann"}) in found.told
        assert not any("secret" in str(told) for told in found.told)
        assert (await browser.get("/api/console/nobody")).status == 404

    with_ann(tmp_path, test, "pump")


def test_who_may_only_look_on_sees_it_live(tmp_path):
    async def test(found):
        browser = found.browser()
        await browser.log_in("vic")
        async with browser.stream("/api/events?view=console&id=pump") as event:
            name, data = await event()
            assert name == "snapshot" and data["lines"] == [] and not data["used"]
            found.fleet.print("pump", "hello\n")
            assert (await event())[1]["lines"][0]["text"] == "hello"

    served_test(tmp_path, test, "pump")


@pytest.mark.parametrize(
    "prepare, body, status, text",
    [
        (lambda fleet: fleet.repl.clear(), "1\r", 409, "the key of pump does not allow the REPL"),
        (lambda fleet: None, "1\r", 409, "is not connected"),
        (lambda fleet: fleet.print("pump", "x", flags=0), "1\r", 409, "takes no input"),
        (lambda fleet: fleet.connect("pump"), "", 422, "input has 1 to"),
        (lambda fleet: fleet.connect("pump"), "x" * 5000, 422, "input has 1 to"),
        (lambda fleet: fleet.connect("pump"), "\ud800", 422, "must be text"),
    ],
)
def test_what_cannot_be_typed_is_refused_in_words(tmp_path, prepare, body, status, text):
    async def test(found, browser):
        found.fleet.print("pump", ">>> ")
        prepare(found.fleet)
        answer = await browser.post("/api/console/pump", {"input": body})
        assert answer.status == status and text in answer.json["error"]
        assert found.fleet.clients["pump"].typed == []

    with_ann(tmp_path, test, "pump")


def test_client_that_takes_no_more_is_waited_for_a_limited_time(tmp_path, monkeypatch):
    monkeypatch.setattr(console, "TYPE_S", 0.05)
    monkeypatch.setattr(console, "MAX_TYPING", 1)

    async def test(found, browser):
        pump = found.fleet.clients["pump"]
        found.fleet.connect("pump")
        found.fleet.print("pump", ">>> ")
        pump.holds = asyncio.Event()
        answer = await browser.post("/api/console/pump", {"input": "1\r"})
        assert answer.status == 503 and "takes no more" in answer.json["error"]
        assert pump.typed == [b"1\r"] and ("web_typed", "pump", {"user": "ann"}) in found.told
        monkeypatch.setattr(console, "TYPE_S", 1000)
        waiting = asyncio.create_task(browser.post("/api/console/pump", {"input": "2\r"}))
        await until(lambda: len(pump.typed) == 2, "the second request")
        assert (await browser.post("/api/console/pump", {"input": "3\r"})).status == 503
        pump.holds.set()
        assert (await waiting).status == 200

    with_ann(tmp_path, test, "pump")
