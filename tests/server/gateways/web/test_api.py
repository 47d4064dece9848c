"""What the API answers, and what it refuses."""

import asyncio
from urllib.parse import quote, urlencode

import pytest

from server.gateways.web import api
from server.gateways.web.overview import MAX_PAGE
from tests.server.gateways.web.bed import served_test


def with_ann(folder, test, *clients):
    """Run `await test(found, browser)` with a browser of an administrator."""

    async def run(found):
        browser = found.browser()
        await browser.log_in("ann")
        await test(found, browser)

    served_test(folder, run, *clients)


def test_clients_page_by_page(tmp_path):
    async def test(found, browser):
        found.fleet.connect("c3")
        answer = (await browser.get("/api/clients?sort=state&size=2&text=C")).json
        assert [row["id"] for row in answer["clients"]] == ["c3", "c0"]
        assert (answer["matching"], answer["total"], answer["page"], answer["size"]) == (5, 5, 0, 2)
        answer = (await browser.get("/api/clients?state=connected")).json
        assert [row["id"] for row in answer["clients"]] == ["c3"]

    with_ann(tmp_path, test, *(f"c{number}" for number in range(5)))


@pytest.mark.parametrize(
    "query, word",
    [
        ("size=0", "size"), (f"size={MAX_PAGE + 1}", "size"), ("page=-1", "page"), ("page=1e3", "page"),
        ("page=99999999999999999999", "page"), ("page=%D9%A3", "page"), ("sort=peer", "sort"), ("state=down", "state"),
        ("text=" + "x" * 65, "text"),
    ],
)  # fmt: skip
def test_bad_query_is_named(tmp_path, query, word):
    async def test(found, browser):
        for path in ("/api/clients", "/api/events"):
            answer = await browser.get(f"{path}?{query}")
            assert answer.status == 422 and answer.json["error"].startswith(word)

    with_ann(tmp_path, test)


def test_client_with_its_lines_whatever_its_id(tmp_path):
    async def test(found, browser):
        found.fleet.receive("a/b é", b"<script>alert(1)</script>")
        answer = (await browser.get("/api/clients/a%2Fb%20%C3%A9")).json
        assert answer["client"]["id"] == "a/b é"
        assert answer["lines"][0]["text"] == "<script>alert(1)</script>"
        assert (await browser.post("/api/clients/a%2Fb%20%C3%A9/lines", {"line": "x"})).status == 200
        for path in ("/api/clients/none", "/api/events?view=client&id=none"):
            assert (await browser.get(path)).status == 404
        assert (await browser.get("/api/events?view=none")).status == 422

    with_ann(tmp_path, test, "a/b é")


IDS = ["a/b", "pump/history", "pump/lines", "a b%2Fc", "100 %", "é/ü?#&", "..", "\\", "<b>", "\x7f", "lines"]


@pytest.mark.parametrize("name", IDS)
def test_every_id_is_the_one_that_is_meant(tmp_path, name):
    """Of an id that a browser takes for a step up, `..`, only a program that sends its path as it is can ask."""

    async def test(found, browser):
        path = "/api/clients/" + quote(name, safe="")
        found.fleet.connect(name)
        assert (await browser.get(path)).json["client"]["id"] == name
        assert (await browser.get(path + "/history")).json["points"]["at"]
        assert (await browser.post(path + "/lines", {"line": "x"})).status == 200
        assert (await browser.post(path + "/key", {"do": "rotate"})).status == 200
        assert (await browser.get("/api/sensors/" + quote(name, safe=""))).status == 200
        found.fleet.print(name, "printed\n")
        printed = (await browser.get("/api/console/" + quote(name, safe=""))).json
        assert [line["text"] for line in printed["lines"]] == ["printed"]
        async with browser.stream("/api/events?" + urlencode({"view": "client", "id": name})) as event:
            assert (await event())[1]["client"]["id"] == name
        assert found.fleet.clients[name].lines == ["x"] and found.fleet.keys == [("rotate", name)]
        others = [one for one in IDS if one != name]
        assert not any(found.fleet.clients[one].lines for one in others)

    with_ann(tmp_path, test, *IDS)


def test_line_is_sent_shown_and_logged_without_its_text(tmp_path):
    async def test(found, browser):
        answer = await browser.post("/api/clients/pump/lines", {"line": "open sesame", "wait": True})
        assert answer.json == {"stored": True, "delivered": True}
        assert found.fleet.clients["pump"].lines == ["open sesame"]
        assert (await browser.get("/api/clients/pump")).json["lines"][0]["way"] == "to"
        assert ("web_line_sent", "pump", {"user": "ann"}) in found.told
        assert not any("sesame" in str(told) for told in found.told)

    with_ann(tmp_path, test, "pump")


def test_line_that_waits_is_answered_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(api, "DELIVER_S", 0.05)

    async def test(found, browser):
        found.fleet.clients["pump"].holds = asyncio.Event()
        answer = await browser.post("/api/clients/pump/lines", {"line": "open", "wait": True})
        assert answer.json == {"stored": None, "delivered": False}
        answer = await browser.post("/api/clients/pump/lines", {"line": "open"})
        assert answer.status == 503 and "no room" in answer.json["error"]

    with_ann(tmp_path, test, "pump")


@pytest.mark.parametrize(
    "body, status, headers",
    [
        ({"line": "refused"}, 422, {}), ({}, 422, {}), ({"line": 7}, 422, {}), ({"line": "x", "wait": "yes"}, 422, {}),
        ({"line": "x", "more": 1}, 422, {}), ([], 422, {}), (b"{", 400, {}), (b"\xff", 400, {}),
        (b"[" * 60000, 400, {}), ({"line": "x" * (1 << 16)}, 413, {}),
        ({"line": "x"}, 415, {"content_type": "text/plain"}), ({"line": "x"}, 415, {"content_type": None}),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_bad_body_is_refused(tmp_path, body, status, headers):
    async def test(found, browser):
        answer = await browser.post("/api/clients/pump/lines", body, **headers)
        assert answer.status == status and answer.json["error"]
        assert found.fleet.clients["pump"].lines == []

    with_ann(tmp_path, test, "pump")


def test_keys_are_changed_and_shown_once(tmp_path):
    async def test(found, browser):
        answer = await browser.post("/api/clients/pump/key", {"do": "rotate"})
        assert answer.json == {"key": "ab" * 32} and answer.headers["cache-control"] == "no-store"
        assert (await browser.post("/api/clients/pump/key", {"do": "revoke"})).json == {"key": None}
        assert found.fleet.keys == [("rotate", "pump"), ("revoke", "pump")]
        assert (await browser.post("/api/clients/pump/key", {"do": "add"})).status == 422
        assert ("web_key_changed", "pump", {"user": "ann", "what": "rotate"}) in found.told
        assert not any("abab" in str(told) for told in found.told)

    with_ann(tmp_path, test, "pump")


def test_key_file_that_does_not_allow_it_says_why(tmp_path):
    async def test(found, browser):
        def refuse(what, client_id):
            raise ValueError("the keys are in PB_LINK_KEYS")

        found.gateway.host.change_key = refuse
        answer = await browser.post("/api/clients/pump/key", {"do": "rotate"})
        assert answer.status == 409 and "PB_LINK_KEYS" in answer.json["error"]

    with_ann(tmp_path, test, "pump")


def test_log(tmp_path):
    async def test(found, browser):
        found.log("connected", "pump", peer="10.0.0.7:1")
        found.log("disconnected", "pump", reason="silent")
        events = (await browser.get("/api/log?after=2")).json["events"]
        assert [entry["event"] for entry in events] == ["connected", "disconnected"]
        assert (await browser.get(f"/api/log?after={events[0]['number']}")).json["events"] == events[1:]
        assert (await browser.get("/api/log?count=1")).json["events"] == events[1:]
        assert (await browser.get("/api/log?count=0")).status == 422

    with_ann(tmp_path, test, "pump")
