"""The web page of a server: uvicorn in the server's loop, and what it serves. docs/web.md describes it."""

import asyncio
import contextlib
import time

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from protocol.errors import LinkError
from remote_i2c.listen import split_listen
from remote_i2c.tls import read_tls
from remote_i2c.web.serving import Limited, Server, bound, send_at_once
from server.core.listening import listen_error
from server.gateways import interface
from server.gateways.setting import SettingsError
from server.gateways.web.access import Access
from server.gateways.web.api import API
from server.gateways.web.buses import Buses
from server.gateways.web.live import Live
from server.gateways.web.login import Login
from server.gateways.web.overview import Overview
from server.gateways.web.pages import page_routes
from server.gateways.web.recent import RecentEvents, RecentLines
from server.gateways.web.roles import ADMINISTER, SEND, VIEW
from server.gateways.web.routes import Route, application
from server.gateways.web.sampled import PAUSE_S, SAMPLE_S, Sampler
from server.gateways.web.sessions import Sessions
from server.gateways.web.users import UserFile, Users
from server.gateways.web.utc import utc_s

MAX_CONNECTIONS = 128
REQUEST_S = 30.0  # until the head of a request has come, and again until it is answered; a stream has its own limit
END_S = 3.0  # from the cancellation of `run` to its end, at most
_GRACE_S = 1
_FILES = MAX_CONNECTIONS + 10


class Gateway(interface.Gateway):
    """Raises: SettingsError: nobody could log in, or the certificate cannot be used; OSError."""

    def __init__(self, settings, host):
        super().__init__(settings, host)
        self.address = None  # (host, port) while it listens
        users = _checked_users(settings, lambda text: host.log("web_users_unreadable", error=text))
        sessions = Sessions(settings.session_hours * 3600, time.monotonic)
        who = settings.hosts, settings.origins, settings.anonymous
        self.access = access = Access(split_listen(settings.listen)[0], *who, sessions, users)
        self.overview, lines, events = Overview(host.status), RecentLines(), RecentEvents()
        self._sampler = Sampler(host.status, host.store, time.monotonic)
        host.subscribe(self.overview.note)
        host.subscribe(lines.note)
        host.follow_lines(lines.note_sent)
        host.follow_log(events.note)
        self.live = Live(self.overview.refresh)
        self.buses = Buses(settings.i2c, host)
        self.recorder = self.history = None
        if settings.history:
            self._measure()
        api = API(host, self.overview, lines, events, self.live, access, self.buses, self.history)
        login = Login(access, settings.prefix, host.log)
        self.routes = [*page_routes(), *routes(api, login)]
        refused = lambda text, peer: host.log("web_refused", reason=text, peer=peer)
        self._config = _config(settings, application(self.routes, access, settings.prefix, refused))

    def _measure(self):
        from server.gateways.web.history import History
        from server.gateways.web.recorder import Recorder

        host = self.host
        told = lambda error: host.log("web_history_failed", error=str(error) or type(error).__name__)
        self.recorder = Recorder(host.registry, host.store, self.settings.history_bytes, told)
        self.history = History(self.recorder, utc_s)
        host.subscribe(self.recorder.note)

    @classmethod
    async def validate(cls, settings, secrets):
        """See interface.Gateway."""
        _checked_users(settings, lambda text: None)
        _bound(settings.listen).close()

    async def run(self):
        """Serve until cancelled. Raises: ListenError; SettingsError: it names a bus that there is not."""
        await self.buses.check()
        self.host.more_files(_FILES)
        with Limited(_bound(self.settings.listen), MAX_CONNECTIONS) as listener:
            server = Server(self._config)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            beside = [asyncio.create_task(self._sample())]
            if self.recorder is not None:
                beside.append(asyncio.create_task(self.recorder.run()))
            self.address = listener.getsockname()[:2]
            self.host.log("web_listening", address="%s:%d" % self.address)
            try:
                await asyncio.shield(serving)
            finally:
                for task in beside:
                    task.cancel()
                if self.recorder is not None:
                    self.recorder.close()
                self.live.close()
                server.should_exit = True
                if (await asyncio.wait((serving,), timeout=END_S))[1]:
                    serving.cancel()

    async def _sample(self):
        """Look at what no event tells, while somebody looks on."""
        while True:
            if self.live.viewers:
                for samples in self._sampler.look():
                    self.overview.set_samples(samples)
                    await asyncio.sleep(PAUSE_S)
                with contextlib.suppress(LinkError, OSError):  # the store's own events tell
                    self.overview.set_waiting(await self.host.store.backlogs())
            else:
                self.overview.set_samples(self._sampler.forget())
            await asyncio.sleep(SAMPLE_S)

    def served_changed(self):
        """See interface.Gateway."""
        self.overview.all_changed()

    def metrics(self):
        """Returns how many look on, and how many rows of the history were lost."""
        found = [("web_viewers", "gauge", "Pages that are open and live", self.live.viewers)]
        if self.recorder is not None:
            lost = self.recorder.timeline.lost
            found.append(("web_history_lost", "counter", "Rows of the history that were not written", lost))
        return found


def routes(api, login):
    """Returns the routes of the API, each with the role that it needs."""
    return [
        Route("POST", "/api/login", None, login.log_in),
        Route("POST", "/api/logout", None, login.log_out),
        Route("GET", "/api/me", VIEW, login.me),
        Route("GET", "/api/clients", VIEW, api.clients),
        Route("POST", "/api/clients/{id}/lines", SEND, api.send),
        Route("POST", "/api/clients/{id}/key", ADMINISTER, api.change_key),
        Route("GET", "/api/clients/{id}/history", VIEW, api.history),
        Route("GET", "/api/clients/{id}", VIEW, api.client),
        *api.devices.routes(),
        *api.console.routes(),
        *api.buses.routes(),
        Route("GET", "/api/log", VIEW, api.log),
        Route("GET", "/api/events", VIEW, api.events),
        Route("GET", "/api/openapi.json", None, api.openapi),
    ]


def _checked_users(settings, unreadable):
    """Returns the Users. Raises: SettingsError: nobody could use the page; OSError."""
    file = UserFile(settings.users)
    try:
        if not file.read() and not settings.anonymous:
            raise SettingsError(
                f"[web] has no user in {settings.users}: pb-link web user add NAME makes one. On this computer alone, "
                'anonymous = "view" lets everybody look'
            )
        if settings.certificate:
            read_tls(settings.certificate, settings.key)  # uvicorn reads them itself, and names neither
    except ValueError as error:
        raise SettingsError(f"[web] {error}")
    return Users(file, unreadable)


def _bound(listen):
    try:
        return bound(*split_listen(listen))
    except OSError as error:
        raise listen_error(error, *split_listen(listen), f"[web] listen = {listen!r}")


def _config(settings, app):
    config = uvicorn.Config(
        _timed(app), http=_HTTP, ws="none", lifespan="off", log_config=None, log_level="error", access_log=False,
        server_header=False, timeout_graceful_shutdown=_GRACE_S, timeout_keep_alive=int(REQUEST_S),
        proxy_headers=bool(settings.proxy), forwarded_allow_ips=settings.proxy or None,
        ssl_certfile=settings.certificate or None, ssl_keyfile=settings.key or None,
    )  # fmt: skip
    config.load()
    return config


def _timed(app):
    """Returns the ASGI application, which tells its _HTTP when the head of a request has come."""

    async def application(scope, receive, send):
        if scope["type"] == "http":
            scope["state"]["begins"]()
        await app(scope, receive, send)

    return application


class _HTTP(H11Protocol):
    """Ends connections that are too many or last too long: uvicorn would wait for a request without end."""

    def connection_made(self, transport):
        super().connection_made(transport)
        send_at_once(transport)
        self._timer = self.loop.call_later(REQUEST_S, transport.abort)
        ours = {"begins": self._again, "lasts": lambda: self._timer.cancel(), "abort": transport.abort}
        self.app_state = {**self.app_state, **ours}
        if sum(isinstance(one, _HTTP) for one in self.connections) > MAX_CONNECTIONS:  # Windows has no accept
            transport.abort()

    def _again(self):
        self._timer.cancel()
        self._timer = self.loop.call_later(REQUEST_S, self.transport.abort)

    def on_response_complete(self):
        self._again()
        super().on_response_complete()

    def connection_lost(self, error):
        self._timer.cancel()
        super().connection_lost(error)
