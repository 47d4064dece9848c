"""Runs JavaScript in Node.js and in Chromium, and has the packages of npm/package.json.

A script is the body of an async function. What it returns is what `run` returns; what it throws fails the test.
"""

import asyncio
import contextlib
import functools
import hashlib
import http.server
import itertools
import json
import os
import shutil
import socketserver
import subprocess
import tempfile
import threading
from pathlib import Path

from websockets.asyncio.client import connect

from build.tools.cache import cache_folder, locked
from tests.patience import PATIENCE_S

HERE = Path(__file__).parent
# Of one attempt of npm to have the packages, and how many are made.
NPM_S = 300
NPM_ATTEMPTS = 2
# For WebI2C.configure, in scripts that are not about time limits: a loaded machine is no fault.
PATIENT = f"{{ connectTimeoutMs: {1000 * PATIENCE_S}, callTimeoutMs: {1000 * PATIENCE_S} }}"
WEB_I2C = HERE.parents[2] / "remote_i2c" / "web" / "npm" / "web_i2c.js"
CHROMIUM_OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-dev-shm-usage",
    "--disable-background-timer-throttling", "--disable-renderer-backgrounding", "--remote-debugging-port=0",
    "--ignore-certificate-errors",
)  # fmt: skip


def npm_folder():
    """Returns the folder node_modules with what npm/package-lock.json pins. Raises: FileNotFoundError: there is no npm;
    SubprocessError: npm has not had them."""
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    pinned = [HERE / "npm" / name for name in ("package.json", "package-lock.json")]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in pinned)).hexdigest()[:16]
    base = cache_folder() / "npm-web-i2c"  # with a lock of its own: builds of programs wait for no download
    base.mkdir(exist_ok=True)
    folder = base / digest
    with locked(base):
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=base) as unfinished:
                for path in pinned:
                    shutil.copy(path, unfinished)
                _install(npm, unfinished)
                os.rename(unfinished, folder)
                os.mkdir(unfinished)  # for its owner to remove
    return folder / "node_modules"


def _install(npm, folder):
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    for attempt in range(1, NPM_ATTEMPTS + 1):
        try:
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=NPM_S)
            return
        except subprocess.SubprocessError:
            if attempt == NPM_ATTEMPTS:
                raise


class Node:
    """Node.js. Each script runs in a process of its own, with WebI2C, assert and ws."""

    def __init__(self, program, modules):
        self._program = program
        self._modules = modules

    async def run(self, script, url, token=""):
        """Returns what the script returns. url: of the door's WebSocket."""
        text = f"""
const assert = require("node:assert");
const WebI2C = require({json.dumps(str(WEB_I2C))});
const ws = require({json.dumps(str(self._modules / "ws"))});
WebI2C.configure({{ url: {json.dumps(url)}, token: {json.dumps(token)}, WebSocket: ws, ...{PATIENT} }});
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const failure = (promise) => promise.then((value) => {{ throw new Error("resolved " + value); }}, (error) => error);
(async () => {{ {script} }})().then(
  (value) => {{ console.log(JSON.stringify(value ?? null)); process.exit(0); }},
  (error) => {{ console.error(error); process.exit(1); }});
"""
        process = await asyncio.create_subprocess_exec(
            self._program, "-e", text, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, err.decode()
        return json.loads(out)


class ScriptError(AssertionError):
    """A script in the browser has thrown."""


class Chromium:
    """A browser without a window, with one page. Made by `started`. Its commands: the DevTools protocol."""

    def __init__(self, socket):
        self._socket = socket
        self._ids = itertools.count(1)

    @classmethod
    @contextlib.asynccontextmanager
    async def started(cls, program):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            process = await asyncio.create_subprocess_exec(
                program, *CHROMIUM_OPTIONS, f"--user-data-dir={profile}", "about:blank",
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
            reading = None
            try:
                async with asyncio.timeout(PATIENCE_S):
                    address = await cls._address(process)
                reading = asyncio.create_task(_discard(process.stderr))
                async with connect(address, max_size=None, open_timeout=None, proxy=None) as socket:
                    yield cls(socket)
            finally:
                if reading is not None:
                    reading.cancel()
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, 9)
                await process.wait()

    @staticmethod
    async def _address(process):
        said = []
        while line := (await process.stderr.readline()).decode(errors="replace"):
            said.append(line)
            if line.startswith("DevTools listening on "):
                return line.split()[-1]
        raise AssertionError(f"Chromium did not start: {''.join(said)}")

    async def command(self, method, session=None, **params):
        """Returns the result of a command; events are left out."""
        id = next(self._ids)
        message = {"id": id, "method": method, "params": params} | ({"sessionId": session} if session else {})
        await self._socket.send(json.dumps(message))
        async with asyncio.timeout(PATIENCE_S):
            while (answer := json.loads(await self._socket.recv())).get("id") != id:
                pass
        assert "error" not in answer, answer["error"]
        return answer["result"]

    async def page(self, url, of_another=False):
        """Returns a Tab that shows this address. of_another: with cookies of its own, as in another's browser."""
        context = await self.command("Target.createBrowserContext") if of_another else {}
        target = (await self.command("Target.createTarget", url="about:blank", **context))["targetId"]
        session = (await self.command("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        answer = await self.command("Page.navigate", session, url=url)
        assert "errorText" not in answer, answer
        tab = Tab(self, session)
        await tab.run("while (document.readyState !== 'complete') { await sleep(5); }")
        return tab


class Tab:
    def __init__(self, browser, session):
        self._browser = browser
        self._session = session

    async def run(self, script):
        """Returns what the script returns. Raises: ScriptError."""
        helpers = """
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const failure = (promise) => promise.then((value) => { throw new Error("resolved " + value); }, (error) => error);
const assert = (condition, text) => { if (!condition) throw new Error(text || "assertion failed"); };
const load = (source, type) => new Promise((resolve, reject) => {
  const element = Object.assign(document.createElement("script"), { src: source, onload: resolve });
  if (type) element.type = type;
  element.onerror = () => reject(new Error("cannot load " + source));
  document.head.append(element);
});"""
        result = await self._browser.command(
            "Runtime.evaluate", self._session, expression=f"(async () => {{ {helpers}\n{script} }})()",
            awaitPromise=True, returnByValue=True,
        )  # fmt: skip
        if "exceptionDetails" in result:
            thrown = result["exceptionDetails"].get("exception", {})
            raise ScriptError(thrown.get("description") or thrown.get("value") or result["exceptionDetails"])
        return result["result"].get("value")


async def _discard(stream):
    while await stream.read(65536):
        pass


@contextlib.contextmanager
def served(folder):
    """Gives the origin of a server of files, as a page's own server is one."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True  # a browser keeps a connection in reserve for a minute or two: nobody waits for its end

    with Server(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
