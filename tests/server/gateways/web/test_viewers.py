"""Several people who look on, each in a browser of their own: what each sees and may do, and one who sleeps."""

import asyncio

from server.core.address_backoff import FREE
from server.gateways.web import live
from tests.patience import PATIENCE_S
from tests.remote_i2c.web.javascript import served as served_files
from tests.server.gateways.web.bed import PASSWORD, Fleet
from tests.server.gateways.web.test_chromium import Page, in_chromium
from tests.server.peer import until


async def another(found, page):
    """Returns the Page of another person, who is not logged in."""
    address = "http://%s:%d/" % found.gateway.address
    return Page(await page._tab._browser.page(address, of_another=True))


def test_two_viewers_see_the_same_and_each_may_do_what_the_role_allows(chromium_program, tmp_path):
    async def test(found, page):
        found.fleet.connect("pump")
        other = await another(found, page)
        await page.run("await logIn('ann'); await go('#/client/pump', 'Rotate');")
        await other.run("await logIn('vic'); await go('#/client/pump', 'Where the line stands');")
        assert await other.run("return [one('form.send'), ...all('.danger')];") == [None]
        await page.run("fill(one('[name=line]'), 'valve open'); press('Send'); await shows('It is stored');")
        for one in (page, other):
            await one.run("await until(() => one('.lines code')?.textContent === 'valve open', 'the line');")
        refused = await other.run("""
            const answer = await fetch("api/clients/pump/lines", { method: "POST", body: '{"line": "x"}',
              headers: { "Content-Type": "application/json" } });
            return answer.status;
        """)
        assert refused == 403 and found.fleet.clients["pump"].lines == ["valve open"]
        found.file.remove("vic")
        await other.run("await there('form.login');")
        found.fleet.leave("pump")
        await page.run("await until(() => one('h1 [data-state=away]'), 'the outage');")
        await until(lambda: found.gateway.live.viewers == 1, "the end of the other's stream")

    in_chromium(chromium_program, tmp_path, Fleet("pump"), test)


def test_viewer_that_sleeps_is_cut_holds_up_nobody_and_wakes_to_the_present(chromium_program, tmp_path, monkeypatch):
    monkeypatch.setattr(live, "TICK_S", 0.01)
    monkeypatch.setattr(live, "SEND_S", 0.5)

    async def test(found, page):
        sleeper = await another(found, page)
        for one in (page, sleeper):
            await one.run("await go('#/client/pump', 'Where the line stands'); await shows('No line since');")
        await page.run("await go('#/', 'pump');")
        tab = sleeper._tab
        await tab._browser.command("Debugger.enable", tab._session)
        await tab._browser.command("Debugger.pause", tab._session)
        async with asyncio.timeout(PATIENCE_S):
            while found.gateway.live.viewers == 2:  # what it does not take fills the buffers between
                found.fleet.receive("pump", *[b"x" * 250] * 100)
                await asyncio.sleep(0.01)
        found.fleet.connect("pump")
        await page.run("await shows('1 client is connected');")
        found.fleet.receive("pump", b"the newest")
        await tab._browser.command("Debugger.resume", tab._session)
        await tab._browser.command("Debugger.disable", tab._session)
        await sleeper.run("await shows('the newest');")
        await sleeper.run("await until(() => one('h1 [data-state=connected]'), 'the state');")
        assert await sleeper.run("return all('.lines li').length <= 500 && one('#trouble').hidden;")

    in_chromium(chromium_program, tmp_path, Fleet("pump"), test, users=(), anonymous="view")


def test_page_of_others_can_do_nothing_with_the_session_of_who_looks_at_it(chromium_program, tmp_path):
    """It is at another port of this computer: to a browser it is of the same site, and the cookie goes along."""
    attempts = """
    const post = { method: "POST", credentials: "include" };
    const send = (mode, headers, body) => fetch(base + "/api/clients/pump/lines", { ...post, mode, headers, body })
      .then((answer) => answer.type, () => "refused");
    const body = JSON.stringify({ line: "open" });
    const found = [await send("no-cors", { "Content-Type": "text/plain" }, body),
      await send("cors", { "Content-Type": "application/json" }, body),
      await fetch(base + "/api/clients", { credentials: "include" }).then(() => "read", () => "refused")];
    const source = new EventSource(base + "/api/events", { withCredentials: true });
    found.push(await new Promise((resolve) => {
      source.onopen = () => resolve("open");
      source.onerror = () => resolve("refused");
    }));
    const frame = Object.assign(document.createElement("iframe"), { name: "there" });
    const form = Object.assign(document.createElement("form"),
      { action: base + "/api/logout", method: "POST", target: "there" });
    document.body.append(frame, form);
    const answered = new Promise((resolve) => { frame.onload = resolve; });
    form.submit();
    await answered;
    return found;
    """
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "index.html").write_text("<!doctype html><title>Others</title><p>Hello")

    async def test(found, page):
        await page.run("await logIn('ann'); await go('#/log', 'web_login');")
        with served_files(tmp_path / "others") as origin:
            others = await page._tab._browser.page(origin + "/index.html")
            base = "http://%s:%d" % found.gateway.address
            did = await others.run(f"const base = {base!r}; {attempts}")
        assert did == ["refused"] * 4
        assert found.fleet.clients["pump"].lines == []
        await until(lambda: found.gateway.live.viewers == 0, "the end of the stream of a page that is behind another")
        assert await page.run("return (await (await fetch('api/me')).json()).user;") == "ann"

    in_chromium(chromium_program, tmp_path, Fleet("pump"), test)


def test_who_tries_passwords_is_told_to_wait_and_then_comes_in(chromium_program, tmp_path):
    attempts = f"""
    const attempt = async (password) => {{
      fill(one("[name=user]"), "ann"); fill(one("[name=password]"), password); press("Log in");
      await until(() => one("nav") || one("[role=alert]").textContent, "an answer");
      return one("nav") ? "it is in" : one(".login [role=alert]").textContent;
    }};
    const last = async (password, text) => {{
      for (let count = 1; count < 100; count++) {{
        if ((await attempt(password)).includes(text)) return count;
        await sleep(password === "guess" ? 0 : 100);
      }}
    }};
    await there("form.login");
    return [await last("guess", "too many attempts: wait a minute"), one("nav"), await last("{PASSWORD}", "it is in")];
    """

    async def test(found, page):
        guesses, shown, tries = await page.run(attempts)
        assert guesses > FREE and shown is None and tries
        logged = [event for event, _, _ in found.told]
        assert logged.count("web_login_failed") == guesses - 1 and logged.count("web_login") == 1
        await page.run("await shows('administers');")

    in_chromium(chromium_program, tmp_path, Fleet("pump"), test)
