"""`pb-link serve`: the server as a program, from its settings to its end."""

import asyncio
import contextlib
import os
import threading

from protocol.errors import LinkError, StoreError
from server.core.address_backoff import AddressBackoff
from server.core.events import text_of
from server.core.failures import in_users_code, traceback_text, where
from server.core.keys import Keys
from server.core.listener import MAX_GREETED, MAX_SILENT
from server.core.listening import ListenError
from server.core.logged_events import QUIET
from server.core.pace import FREE
from server.core.server import Server
from server.core.shown import quoted
from server.core.store import StoreGone
from server.gateways.interface import descriptions
from server.gateways.setting import SettingsError
from server.service.admin import AdminServer
from server.service.application import Application, exit_status
from server.service.client_status import ClientStatus
from server.service.collector import settle
from server.service.consoles import Consoles
from server.service.key_table import FollowedKeys, KeyTable
from server.service.log import Log
from server.service.metrics import Metrics
from server.service.open_files import OpenFiles
from server.service.retention import Retention
from server.service.running_gateways import RunningGateways
from server.service.secret_settings import key_source
from server.service.signals import on_signal
from server.stores.opened import open_store, own_name, shown_address

_FILES = MAX_SILENT + MAX_GREETED + 50  # open ones besides a connection for each client: 50 for the store and others
_KEY_FAULTS = (OSError, StoreError, TypeError, ValueError)  # of the keys
END_S = 10.0  # for the application, and each part of the server, to end when they are cancelled
_SETTLE_S = 5.0  # for lines on their way to go back; tasks of the application that still read may keep them going


class Service:
    """One run of `pb-link serve`.

    Args: settings, secrets: see settings.py and secret_settings.py; server: Server, or None for a new one.

    Raises: SettingsError, StoreError, ValueError, OSError.
    """

    def __init__(self, settings, secrets, server=None, log=None):
        self.settings = settings
        self.log = log or Log(settings.log, path=settings.log_file)
        self.server = server or Server()
        self.events = self.server.events
        self.registry = self.server.registry
        self._log_of_all = self.events.rate_limited(self.log)  # of clients without a key, whose ids anybody can send
        self._log_of_each = self.events.rate_limited(self.log, each=True)  # of those with one
        self._metrics_token = secrets.metrics_token
        self._file = key_source(settings, secrets)  # or a table
        snapshot = self._file.snapshot() if isinstance(self._file, KeyTable) else None
        self._stamp, keys, self._repl = snapshot or (self._file.stamp(), self._file.read(), self._file.repl())
        self._key_fault = None  # that was told last
        self.keys = Keys(keys)
        self.keys.on_used = self._key_used
        self.keys.on_unfit = self._look_at_keys  # a client that uses its new key at once is not refused
        refuse_both_ways(settings, self.keys)
        self._app = settings.app and Application(settings.app, self.server, self.left)
        limits = (settings.inbox_bytes, settings.outbox_bytes)
        self.store = open_store(
            settings.store, *limits, total_bytes=settings.total_bytes, tell=self._store_tells,
            name=settings.node or own_name(settings.port),
        )  # fmt: skip
        if snapshot:
            self._file = FollowedKeys(self.store.keys, snapshot, self._key_unwritable)
        self.status = ClientStatus(self.registry, self.keys, settings.keyless)
        self._consoles = Consoles(self.registry, lambda client_id: client_id in self._repl)
        self._gateways = RunningGateways(settings, secrets)
        self._admin = AdminServer(
            settings.admin_socket, self.status, self.registry, self.store, self._consoles, self._gateways.ask,
            settings.port,
        )  # fmt: skip
        self._stop = asyncio.Event()
        self._listens = False
        self.exit_status = 0
        self._causes = []  # exceptions for which the server ends
        self.stuck = False  # a task goes on although it has been cancelled

    async def run(self):
        """Serve until a signal, or until the application or a part of the server ends. Returns the exit status."""
        settings, registry = self.settings, self.registry
        for subscriber in (self.status.note, self._admin.note, self._consoles.note, self._log_event):
            self.events.subscribe(subscriber)
        backoff = AddressBackoff()
        expected = {*settings.clients, *settings.keyless, *self.keys}
        self.server.keyless = settings.keyless
        self.server.prepare(expected, self.keys, self.store, settings.timeout_ms, backoff)
        listener = self.server.listener
        loop = asyncio.get_running_loop()
        for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
            on_signal(loop, name, self._stop.set)
        on_signal(loop, "SIGHUP", self.log.reopen)
        limit = open_file_limit()
        needed = len([*self.keys]) * (1 + self._gateways.files_per_client) + _FILES
        files = OpenFiles(limit, needed, lambda **found: self.log("few_files", **found))
        tasks, app = [], None
        try:
            await self._admin.start()
            self._gateways.make(
                registry, self.store, listener, keys=self.keys, served=self._served,
                rate_limited=lambda: self.events.rate_limited(self.log), subscribe=self.events.subscribe,
                more_files=files.add, status=self.status, change_key=self._change_key,
                follow_log=self.log.followers.append, consoles=self._consoles,
            )  # fmt: skip
            # The metrics first: what is first ends last, and says until then that the server is not ready.
            work = [self._metrics(backoff).serve()] if settings.metrics else []
            work += [listener.serve(settings.host, settings.port), self._follow_keys()]
            if settings.discard_after_days:
                work.append(Retention(settings.discard_after_days, registry, self.store).run())
            work += self._gateways.runs()
            tasks = [asyncio.create_task(self._guarded(one)) for one in work]
            if self._app:
                app = asyncio.create_task(self._guarded(self._run_app()))
            await self._wait_for_the_end()
        finally:
            # The application first: what it has written and taken is in the store when that is closed.
            if app is not None:
                await self._end("the application", [app])
                await self._end("a task of the application", self._app.tasks)
            for task in reversed(tasks):
                await self._end("a part of the server", [task])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SETTLE_S):
                    await registry.settle()
            self._admin.close()
            self.store.close()
            self.events.unsubscribe(self._log_event)  # a task that goes on finds the store closed, which is no fault
            self.log("stopped")
        return self.exit_status

    async def _wait_for_the_end(self):
        try:
            await self._stop.wait()
        except asyncio.CancelledError as error:  # the application has cancelled all tasks of the loop
            self.left(error)

    async def _end(self, what, tasks):
        """Cancel the tasks, and return when they have ended, END_S later at most."""
        left = [task for task in tasks if not task.done()]
        for task in left:
            task.cancel()
        if left and (await asyncio.wait(left, timeout=END_S))[1]:
            self.stuck = True
            self.exit_status = 1
            self.log("failed", error=f"{what} has not ended {END_S:g} s after it was cancelled")

    async def _run_app(self):
        await self._app.run()
        self.log("ended", status=0)
        self._stop.set()

    def left(self, error):
        """Note that the application, or a part of the server, has ended with this exception. The server ends too.

        With sys.exit, the status of the process is the one given. With anything else it is 1.
        """
        if any(error is one for one in self._causes):  # a group of tasks raises again what one of them has raised
            return
        self._causes.append(error)
        status = exit_status(error)
        if isinstance(error, ListenError):  # it names the setting: nothing of the program is at fault
            self.log("failed", error=str(error))
        elif status is None:
            why = " (not by the server)" if isinstance(error, asyncio.CancelledError) else ""
            # Of an error with words for the operator, such as a port that is taken, the traceback says nothing.
            told = isinstance(error, (OSError, LinkError, SettingsError)) and not in_users_code(error)
            more = {} if told else {"traceback": traceback_text(error)}
            self.log("failed", error=text_of(error) + why, at=where(error), **more)
        else:
            self.log("ended", status=status)
        self.exit_status = self.exit_status or (1 if status is None else status)
        self._stop.set()

    def _metrics(self, backoff):
        return Metrics(
            self.settings.metrics, self._metrics_token,
            status=self.status, registry=self.registry, store=self.store, backoff=backoff,
            more=self._gateways.metrics, unready=self._unready,
        )  # fmt: skip

    def _unready(self):
        """Returns why no clients should be sent here, or None."""
        if self._stop.is_set():
            return "the server ends"
        return None if self._listens else "the server does not listen yet"

    async def _guarded(self, work):
        try:
            await work
        except StoreGone:  # the listener's, which has told it
            self.exit_status = 1
            self._stop.set()
        except asyncio.CancelledError as error:
            if not self._stop.is_set():  # nobody has asked the server to end
                self.left(error)
        except GeneratorExit:
            raise
        except BaseException as error:  # whatever the error, the service does not continue without this part
            self.left(error)

    def _store_tells(self, event, **details):
        """What the store's thread says of its database goes into the log."""
        self.log(event, **details)

    def _log_event(self, event, client_id, details):
        if event == "listening":
            self._listens = True
            self.log("started", **details, store=shown_address(self.settings.store), clients=len([*self.keys]))
        elif client_id is None:
            self.log(event, **details)  # Events counts those that peers can cause
        elif event in ("connected", "disconnected") and self._flaps(event, client_id, details):
            pass
        elif event not in QUIET:
            if event == "no_key":
                details = {"reason": f"the application waits for it: pb-link keys add {quoted(client_id)}"}
            log = self._log_of_all if client_id in self.settings.keyless else self._log_of_each
            log(event, client_id, **details)

    def _flaps(self, event, client_id, details):
        """True if the client reconnects so often that this connection is not logged."""
        pace = self.registry.get(client_id).pace
        if pace.fruitless <= FREE or client_id in self.settings.keyless:
            return False
        if event == "disconnected" and pace.worth_a_line:
            self.log("flapping", client_id, connections=pace.fruitless, reason=details["reason"])
        return True

    async def _follow_keys(self):
        while True:
            try:
                await self._file.next_look()
                self._key_fault = None
            except _KEY_FAULTS as error:
                if str(error) != self._key_fault:
                    self._key_fault = str(error)
                    self.log("keys_unreadable", error=self._key_fault)
                continue
            self._look_at_keys()

    def _look_at_keys(self):
        """Returns True if the key file had changed."""
        try:
            stamp = self._file.stamp()
        except OSError as error:
            stamp = str(error)
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        self._read_keys()
        return True

    def _read_keys(self):
        try:
            keys, repl = self._file.read(), self._file.repl()
        except _KEY_FAULTS as error:
            self.log("keys_unreadable", error=str(error))  # the known keys stay valid
            return
        self._repl = repl
        unproven = self.settings.keyless & keys.keys() - set(self.keys)
        gone = self.keys.replace(keys)
        self.log("keys_read", clients=len(keys))
        for client_id in {*gone, *unproven}:
            self.registry.get(client_id).disconnect()
        self._gateways.served_changed()

    def _change_key(self, what, client_id):
        return getattr(self._file, what)(client_id)

    def _served(self):
        """Returns the ids of the clients that may connect."""
        return {*self.keys, *self.settings.keyless}

    def _key_used(self, client_id, key):
        self.log("new_key_used", client_id)
        try:
            self._file.used(client_id, key)
        except _KEY_FAULTS as error:
            self._key_unwritable(client_id, error)

    def _key_unwritable(self, client_id, error):
        """The client is served. The next process would take the old key, too."""
        self.log("keys_unwritable", client_id, error=str(error))


def refuse_both_ways(settings, ids):
    """Refuse ids that have a key and are also served without one. ids: those with a key. Raises: SettingsError."""
    known = descriptions()
    for name, values in settings.gateways.items():
        setting = known[name].keyless
        both = sorted(set(getattr(values, setting)) & set(ids)) if setting else ()
        if both:
            raise SettingsError(f"{setting} has {', '.join(both)}, which has a key: nobody is served both ways")


def open_file_limit():
    """Raise the limit on open files as far as possible. Returns it, or None if there is none."""
    try:
        import resource
    except ImportError:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        return None
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def serve(settings, secrets, server):
    """Serve until a signal comes. server: the Server that the application uses, or None. Returns the exit status."""
    threads = {*threading.enumerate()}
    settle()
    with asyncio.Runner() as runner:
        service = runner.run(_made(settings, secrets, server))
        _run_until_done(runner.get_loop(), service)
        limit = threading.Timer(END_S, _leave, [service.log])  # everything is on the disk
        limit.daemon = True
        limit.start()
        if service.stuck:
            os._exit(service.exit_status)  # the loop would wait for the task
    for thread in {*threading.enumerate()} - threads:  # of the application: the interpreter would wait for them
        if not thread.daemon:
            thread.join()
    limit.cancel()
    return service.exit_status


async def _made(settings, secrets, server):
    return Service(settings, secrets, server)


def _run_until_done(loop, service):
    """Run the service to its end. An exception that leaves the loop comes from a task or callback of the application:
    SystemExit, KeyboardInterrupt, or what `loop.stop()` leads to. The loop can go on after it."""
    task = loop.create_task(service.run())
    while True:
        try:
            loop.run_until_complete(task)
            return
        except BaseException as error:
            if task.done() or loop.is_closed():
                raise
            service.left(error)


def _leave(log):
    log("failed", error=f"the application has not ended {END_S:g} s after the server: a thread of it?")
    os._exit(1)
