"""The application of `pb-link serve`: started from MODULE:Class or MODULE:handler, and no end of it goes unseen.

`run()` may return or raise. Beside that, a task that the application has created may fail although nobody waits for
it. asyncio reports that only when the task is deleted, which may never happen.
"""

import asyncio
import importlib
import inspect
import os
import sys
import weakref

from server.core.events import text_of
from server.core.failures import where
from server.gateways.setting import SettingsError

UNSEEN_S = 1.0  # for the application to ask for the exception of a task that has failed while nobody waited for it
_HOW = "a class with `async def run(self)`, or a handler `async def NAME(conn)`"
_ROOT = __name__[: -len("server.service.application")]  # "pb_link." in an installed wheel
_OWN = tuple(_ROOT + name + "." for name in ("server", "primitives", "protocol"))  # modules that are not the user's
_LEAVES_THE_LOOP = (SystemExit, KeyboardInterrupt)  # whoever runs the loop gets these exceptions of a task
_LIBRARIES = ("site-packages", "dist-packages")


def load_app(name):
    """Returns the class or coroutine function that MODULE:NAME names, or None for "". Raises: SettingsError."""
    if not name:
        return None
    module, colon, attribute = name.partition(":")
    if not colon or not module or not attribute:
        raise SettingsError(f"app {name!r} must be MODULE:Class or MODULE:handler")
    sys.path.insert(0, os.getcwd())
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"app {name!r} cannot be loaded: {error}")
    except (Exception, SystemExit) as error:  # it is another program, and may raise anything
        raise SettingsError(f"app {name!r} cannot be loaded: {text_of(error)} ({where(error)})")
    if hasattr(found, "run"):
        return found
    if isinstance(found, type):
        raise SettingsError(f"app {name!r} has no method `async def run(self)`")
    if not inspect.iscoroutinefunction(found):
        raise SettingsError(f"app {name!r} must be {_HOW}")
    try:
        inspect.signature(found).bind("conn")
    except TypeError as error:
        raise SettingsError(f"app {name!r} must take one argument, the client's connection: {error}")
    return found


def exit_status(error):
    """Returns the status that sys.exit was called with. None: the exception is another one, or its text is an error."""
    if not isinstance(error, SystemExit):
        return None
    return int(error.code or 0) if error.code is None or isinstance(error.code, int) else None


class Application:
    """One run of an application. Args: name: as of `load_app`, not ""; server: Server; on_failed: function (exception)
    that is called for each failure of a task that nobody waits for. Raises: SettingsError.

    A task is the application's if its code is in the folder of the application's module, or below it.
    """

    def __init__(self, name, server, on_failed):
        self.tasks = weakref.WeakSet()  # of the application, beside the one that runs it
        self._found = load_app(name)
        self._server = server
        self._on_failed = on_failed
        self._folder = _folder_of(name.partition(":")[0])
        self._previous = None  # the loop's handler of exceptions, if it had one

    async def run(self):
        """Run it until it ends."""
        loop = asyncio.get_running_loop()
        loop.set_task_factory(self._make_task)
        self._previous = loop.get_exception_handler()  # such as that of the listener's failed accepts
        loop.set_exception_handler(self._on_exception)
        if not hasattr(self._found, "run"):
            await self._server.serve(self._found)
            return
        work = self._found().run()
        if not inspect.isawaitable(work):
            raise TypeError("run is no coroutine function: write async def run(self)")
        await work

    def _make_task(self, loop, work, **how):
        if not self._is_users(work):
            return asyncio.Task(work, loop=loop, **how)
        task = _Task(work, loop=loop, **how)
        self.tasks.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _is_users(self, work):
        names = getattr(getattr(work, "cr_frame", None), "f_globals", {})
        if str(names.get("__name__")).startswith(_OWN):
            return False
        file = os.path.abspath(work.cr_code.co_filename) if hasattr(work, "cr_code") else ""
        below = file.removeprefix(self._folder + os.sep)
        return below != file and not any(part in _LIBRARIES for part in below.split(os.sep))

    def _task_ended(self, task):
        if not task.cancelled() and _is_unseen(task):
            task.get_loop().call_later(UNSEEN_S, self._look_at, task)

    def _look_at(self, task):
        if _is_unseen(task) and not task.waiters:
            self._take_failure_of(task)

    def _on_exception(self, loop, context):
        """Handle what asyncio reports: the task that has failed was deleted, and somebody had waited for it."""
        task = context.get("task") or context.get("future")
        if isinstance(task, _Task) and task.done() and not task.cancelled() and task.exception():
            self._take_failure_of(task)
        elif isinstance(context.get("exception"), _LEAVES_THE_LOOP):
            return
        elif self._previous is not None:
            self._previous(loop, context)
        else:
            loop.default_exception_handler(context)

    def _take_failure_of(self, task):
        error = task.exception()  # asyncio does not report it then
        if not isinstance(error, _LEAVES_THE_LOOP):
            self._on_failed(error)


class _Task(asyncio.Task):
    """A task that counts who waits for it: calls of `await`, gather, wait, groups."""

    waiters = 0

    def add_done_callback(self, function, **how):
        self.waiters += _is_waiter(function)
        super().add_done_callback(function, **how)

    def remove_done_callback(self, function):
        count = super().remove_done_callback(function)
        self.waiters -= count * _is_waiter(function)
        return count


def _is_waiter(function):
    """True for what asyncio adds to a task whose result somebody waits for. The user's own callbacks are none."""
    waiting = isinstance(getattr(function, "__self__", None), asyncio.Task)
    return waiting or str(getattr(function, "__module__", "")).startswith("asyncio.")


def _is_unseen(task):
    """True if the task has raised an exception that nobody has asked for. asyncio has no public name for it."""
    return task._log_traceback


def _folder_of(module):
    """Returns the folder of an imported module, or of the outermost package that it is in."""
    top = sys.modules[module.partition(".")[0]]
    file = getattr(top, "__file__", None)
    return os.path.abspath(os.path.dirname(file) if file else next(iter(top.__path__)))
