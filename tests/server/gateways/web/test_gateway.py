"""The web page as a whole: who may do what, by which way, and what it refuses to be."""

import asyncio
import contextlib
import json
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from server.core.listening import ListenError
from server.gateways.setting import SettingsError
from server.gateways.web import gateway
from server.gateways.web.gateway import Gateway
from server.gateways.web.roles import ROLES, covers
from server.gateways.web.settings import DESCRIPTION
from tests.patience import PATIENCE_S
from tests.remote_i2c.conftest import make_certificate
from tests.server.gateways.host import make_host, settings_of
from tests.server.gateways.web.bed import PASSWORD, Fleet, served, served_test
from tests.server.peer import until, within

ROOT = Path(__file__).resolve().parents[4]
BODIES = {
    "/api/login": {"user": "sam", "password": PASSWORD},
    "/api/clients/{id}/lines": {"line": "open"},
    "/api/clients/{id}/key": {"do": "rotate"},
    "/api/console/{id}": {"input": "1\r"},
    "/api/i2c/{bus}/transfer": {"address": 0x18, "write": "05", "read": 2},
    "/api/devman/cmdraw": {"deviceid": "1_18", "numToRd": 2},
    "/api/devman/cmdjson": {"body": {"cmd": "rescan"}},
    "/api/devman/devconfig": {"deviceid": "1_18", "numSamples": 4},
    "/api/devman/bar": {"deviceid": "1_18", "ms": 10},
}


def requests(served):
    """Yields (route, method, path, body) of each route of the API."""
    for route in served.routes:
        path = route.path.replace("{id}", "pump")
        path = path.replace("{bus}", "desk")
        if path.startswith("/api/devman/"):
            path += "?client=pump"
        yield route, route.method, path, BODIES.get(route.path, {}) if route.method == "POST" else None


def untouched(fleet):
    """True if nothing of what the requests above say has reached the client."""
    pump = fleet.clients["pump"]
    asked = {command["cmd"] for command in pump.commands}
    reached = [fleet.keys, fleet.fake_bus.log, pump.lines, pump.typed]
    return not any(reached) and asked <= {"listdevs", "typeinfo"}


def test_each_route_of_the_api_refuses_who_has_not_its_role(tmp_path):
    async def test(found):
        guarded = [request for request in requests(found.gateway) if request[0].role]
        assert len(guarded) >= 23
        for _, method, path, body in guarded:
            nobody = await found.browser().ask(method, path, body)
            assert nobody.status == 401 and nobody.headers["www-authenticate"] == "Bearer", path
            wrong = await found.browser().ask(method, path, body, authorization="Bearer " + "x" * 43)
            assert wrong.status == 401, path
        for user, role in zip(("vic", "sam", "ann"), ROLES, strict=True):
            browser = found.browser()
            await browser.log_in(user)
            for route, method, path, body in guarded:
                if covers(role, route.role):
                    continue
                assert (await browser.ask(method, path, body)).status == 403, (user, path)
                token = {"authorization": f"Bearer {found.tokens[role]}", "sec_fetch_site": None}
                assert (await found.browser().ask(method, path, body, **token)).status == 403, (user, path)
        assert untouched(found.fleet)

    served_test(tmp_path, test, "pump")


def test_each_route_serves_who_has_its_role_by_cookie_and_by_token(tmp_path):
    async def test(found):
        browser = found.browser()
        await browser.log_in("ann")
        found.fleet.connect("pump")
        found.fleet.print("pump", ">>> ")
        for route, method, path, body in requests(found.gateway):
            if path == "/api/logout":
                continue
            if path == "/api/events":
                async with browser.stream(path) as event:
                    assert (await event())[0] == "snapshot"
                continue
            assert (await browser.ask(method, path, body)).status == 200, path
            if route.role:
                token = {"authorization": f"Bearer {found.tokens[route.role]}", "sec_fetch_site": None}
                assert (await found.browser().ask(method, path, body, **token)).status == 200, path

    served_test(tmp_path, test, "pump")


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site", "origin": "https://evil.example"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": None, "origin": "http://127.0.0.1:1"},
        {"sec_fetch_site": None, "origin": "null"},
        {"sec_fetch_site": None},
        {"sec_fetch_site": "none"},
    ],
    ids=str,
)
def test_what_changes_something_comes_from_the_page_itself(tmp_path, headers):
    async def test(found):
        browser = found.browser()
        await browser.log_in("ann")
        posts = [request for request in requests(found.gateway) if request[1] == "POST"]
        assert len(posts) == 14
        for _, method, path, body in posts:
            assert (await browser.ask(method, path, body, **headers)).status == 403, path
        assert untouched(found.fleet)

    served_test(tmp_path, test, "pump")


def test_pages_of_others_cannot_take_the_places_of_viewers(tmp_path):
    async def test(found):
        answer = await found.browser().get("/api/events", sec_fetch_site="cross-site")
        assert answer.status == 403

    served_test(tmp_path, test, users=(), anonymous="view")


def test_older_browser_is_known_by_its_origin(tmp_path):
    async def test(found):
        browser = found.browser()
        await browser.log_in("sam")
        own = "http://127.0.0.1:%d" % found.gateway.address[1]
        sent = await browser.post("/api/clients/pump/lines", {"line": "open"}, sec_fetch_site=None, origin=own)
        assert sent.status == 200
        other = {"sec_fetch_site": None, "origin": "https://b.example"}
        assert (await browser.post("/api/clients/pump/lines", {"line": "x"}, **other)).status == 200

    served_test(tmp_path, test, "pump", origins=["https://b.example"])


def test_name_that_nobody_gave_it_is_refused(tmp_path):
    async def test(found):
        for path in ("/", "/api/me", "/api/nothing"):
            answer = await found.browser().get(path, host="evil.example")
            assert answer.status == 421 and "hosts of [web]" in answer.json["error"]
        assert (await found.browser().get("/api/openapi.json", host="desk.example:8081")).status == 200
        assert ("web_refused", None) in [told[:2] for told in found.told]

    served_test(tmp_path, test, hosts=["desk.example"])


def test_each_answer_has_the_headers_that_protect_a_page(tmp_path):
    async def test(found):
        for path in ("/", "/api/openapi.json", "/api/me", "/nothing"):
            headers = (await found.browser().get(path)).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; script-src 'self';") and "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in headers and "server" not in headers

    served_test(tmp_path, test)


def test_cookie_is_out_of_reach(tmp_path):
    async def test(found):
        parts = (await found.browser().log_in("vic")).headers["set-cookie"].lower().split("; ")
        assert {"httponly", "samesite=strict", "path=/desk", f"max-age={3 * 3600}"} <= set(parts)
        assert "secure" not in parts  # it comes by HTTP

    served_test(tmp_path, test, prefix="/desk", session_hours=3)


def test_behind_a_proxy_the_cookie_is_for_tls_alone_and_each_address_counts(tmp_path):
    async def test(found):
        proxied = {"x_forwarded_proto": "https", "x_forwarded_for": "10.0.0.9"}
        body = {"user": "vic", "password": PASSWORD}
        answer = await found.browser().post("/api/login", body, **proxied)
        assert "secure" in answer.headers["set-cookie"].lower().split("; ")
        assert ("web_login", None, {"user": "vic", "peer": "10.0.0.9"}) in found.told

    served_test(tmp_path, test, proxy="127.0.0.1")


def test_address_that_a_stranger_claims_is_not_believed(tmp_path):
    async def test(found):
        body = {"user": "vic", "password": PASSWORD}
        await found.browser().post("/api/login", body, x_forwarded_for="10.0.0.9")
        assert ("web_login", None, {"user": "vic", "peer": "127.0.0.1"}) in found.told

    served_test(tmp_path, test)


def test_everything_is_below_the_prefix(tmp_path):
    async def test(found):
        browser = found.browser()
        await browser.log_in("vic")
        assert (await browser.get("/api/me")).json == {"user": "vic", "role": "view"}
        browser._prefix = ""
        assert (await browser.get("/api/me")).status == 404

    served_test(tmp_path, test, prefix="/desk")


def test_anonymous_may_do_what_is_said_and_no_more(tmp_path):
    async def test(found):
        browser = found.browser()
        assert (await browser.get("/api/me")).json == {"user": "anonymous", "role": "view"}
        assert (await browser.post("/api/clients/pump/lines", {"line": "open"})).status == 403
        proxied = await browser.get("/api/me", x_forwarded_for="10.0.0.9")
        assert proxied.status == 403 and "proxy" in proxied.json["error"]

    served_test(tmp_path, test, "pump", users=(), anonymous="view")


def test_removed_user_is_out_at_once_and_the_stream_ends(tmp_path):
    async def test(found):
        browser = found.browser()
        await browser.log_in("vic")
        async with browser.stream("/api/events") as event:
            await event()
            found.file.remove("vic")
            assert await event() == ("end", {})
        assert (await browser.get("/api/me")).status == 401
        await until(lambda: found.gateway.live.viewers == 0, "the viewer's end")

    served_test(tmp_path, test)


@pytest.mark.parametrize(
    "given, error",
    [
        ({}, "has no user in .*: pb-link web user add"),
        ({"anonymous": "view", "certificate": __file__, "key": __file__}, "cannot be used"),
    ],
)
def test_it_refuses_to_start(tmp_path, given, error):
    settings = settings_of(DESCRIPTION, users=str(tmp_path / "none.json"), **given)
    with pytest.raises(SettingsError, match=error):
        Gateway(settings, make_host(status=Fleet()))
    with pytest.raises(SettingsError, match=error):
        asyncio.run(Gateway.validate(settings, {}))


def test_bus_that_there_is_not_ends_the_start(tmp_path):
    async def test(found):
        raise AssertionError("it runs")

    with pytest.raises(SettingsError, match=r"\[web\] i2c names the bus 'roof'"):
        served_test(tmp_path, test, i2c=["roof"])


def test_port_that_is_taken_is_said(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = "127.0.0.1:%d" % other.getsockname()[1]
        settings = settings_of(DESCRIPTION, anonymous="view", listen=listen)
        with pytest.raises(ListenError, match=r"\[web\] listen = '127.0.0.1:\d+' is in use"):
            asyncio.run(Gateway.validate(settings, {}))
        with pytest.raises(ListenError, match="is in use"):
            asyncio.run(Gateway(settings, make_host(status=Fleet(), store=Fleet())).run())


def test_connection_that_asks_nothing_is_ended_and_a_stream_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(gateway, "REQUEST_S", 1.0)

    async def test(found):
        browser = found.browser()
        await browser.log_in("vic")
        async with browser.stream("/api/events?view=log") as event:
            await event()
            reader, writer = await asyncio.open_connection(*found.gateway.address)
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1")
            with contextlib.suppress(ConnectionResetError):
                assert await within(reader.read()) == b""
            writer.close()
            found.log("connected", "pump")  # later than the stream might have lasted as a request
            while (await event())[1]["events"][-1]["event"] != "connected":
                pass

    served_test(tmp_path, test)


def test_time_of_a_request_begins_when_its_head_has_come(tmp_path, monkeypatch):
    begun = []
    again = gateway._HTTP._again
    monkeypatch.setattr(gateway._HTTP, "_again", lambda http: (begun.append(http._timer), again(http)))

    async def test(found):
        pump = found.fleet.clients["pump"]
        pump.holds = asyncio.Event()
        browser = found.browser()
        await browser.log_in("sam")
        first = len(begun)
        asking = asyncio.create_task(browser.post("/api/clients/pump/lines", {"line": "x", "wait": True}))
        await until(lambda: len(begun) == first + 1, "the head")
        assert begun[-1].cancelled()  # the time since the answer before, which a user has looked at
        pump.holds.set()
        assert (await asking).status == 200
        await until(lambda: len(begun) == first + 2, "the answer")

    served_test(tmp_path, test, "pump")


@pytest.mark.parametrize("tls", [False, True])
def test_connections_are_bounded(tmp_path, monkeypatch, missing_tool, tls):
    monkeypatch.setattr(gateway, "MAX_CONNECTIONS", 3)
    key, certificate = make_certificate(tmp_path, missing_tool) if tls else ("", "")

    async def test(found):
        opened = [await asyncio.open_connection(*found.gateway.address) for _ in range(4)]
        ends = [asyncio.create_task(reader.read()) for reader, _ in opened]
        await within(asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED))
        await asyncio.sleep(0)
        assert sum(end.done() for end in ends) == 1  # the last one
        for _, writer in opened:
            writer.close()
        await asyncio.gather(*ends, return_exceptions=True)
        if tls:  # of which none has said a word
            return
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):  # they may not be gone yet
                    assert (await found.browser().get("/api/openapi.json")).status == 200
                    return

    served_test(tmp_path, test, certificate=str(certificate), key=str(key))


def test_https_by_certificate_files(tmp_path, missing_tool):
    key, certificate = make_certificate(tmp_path, missing_tool)
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False

    async def test(found):
        reader, writer = await asyncio.open_connection(*found.gateway.address, ssl=context)
        body = json.dumps({"user": "vic", "password": PASSWORD})
        writer.write(
            b"POST /api/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nSec-Fetch-Site: same-origin\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body.encode())
        )
        answer = (await within(reader.read())).decode().lower()
        writer.close()
        assert answer.startswith("http/1.1 200 ") and "; secure" in answer

    served_test(tmp_path, test, certificate=str(certificate), key=str(key))


def test_it_ends_while_pages_are_live(tmp_path):
    async def test():
        async with served(tmp_path, Fleet("pump")) as found:
            browser = found.browser()
            await browser.log_in("vic")
            async with browser.stream("/api/events") as event:
                await event()
                assert found.gateway.metrics()[0] == ("web_viewers", "gauge", "Pages that are open and live", 1)
                ending = asyncio.create_task(until(lambda: found.gateway.live.viewers == 0, "the end of the stream"))
                found.gateway.live.close()
                await ending

    asyncio.run(within(test()))


def test_server_without_the_section_imports_nothing_of_it():
    program = (
        "import json, sys; from server.service import cli, settings; settings.read();"
        "libraries = ('starlette', 'uvicorn', 'anyio', 'h11');"
        "print(json.dumps([name for name in sys.modules"
        " if name.split('.')[0] in libraries or name.startswith('server.gateways.web.')]))"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, cwd=ROOT)
    found = json.loads(ran.stdout)
    assert set(found) <= {f"server.gateways.web.{name}" for name in ("settings", "roles", "users", "user_command")}
    assert "server.gateways.web.settings" in found
