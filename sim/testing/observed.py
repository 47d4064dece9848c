"""What both kinds of link have: the lines that its boards have printed, waiting, and the failures of applications."""

import asyncio
import threading
from collections import deque

import pytest

from pb_link.settings import DEFAULTS, NAMES, Settings
from protocol.limits import KEY_BYTES
from sim.virtual.world import BoardDied

# The end of the first line of what pb_link/runner.py prints when the application has raised something.
APPLICATION_FAILED = "pb_link: the application has failed"
# What ends a task, a loop or the process on purpose.
ENDS = (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit, BoardDied)
# What pytest.fail, skip, xfail and exit raise, and the time limit of pytest-timeout. That of exit is an Exception.
OUTCOMES = (pytest.fail.Exception, pytest.skip.Exception, pytest.exit.Exception)
SHOWN = 60  # lines of the story
KEPT = 100_000  # lines of a board: a test that runs for days does not fill the memory


class LinkFailed(AssertionError):
    """What was waited for did not come, or an application has failed: the text says which."""


class ObservedLink:
    """The base of both links. A subclass has `seconds`, and `_pass(condition, seconds)`: it returns once condition() is
    true, when an application has failed, or when so many seconds have passed; a condition of None is never true. Times
    are those of the link's clock.

    Args: ids: of the clients; seed: what is random follows from it; client_may_fail, handler_may_fail: a failure of an
    application is no failure of the test.
    """

    default_timeout_s = 300.0

    def __init__(self, ids, seed, client_may_fail, handler_may_fail):
        self.seed = seed
        self.ids = tuple(ids)
        self.handler_errors = []  # what the server's handler has raised
        self._client_may_fail = client_may_fail
        self._handler_may_fail = handler_may_fail
        self._printed = {}  # (client's id, board) -> deque of lines
        self._story = deque(maxlen=SHOWN)
        self._failures = deque()  # texts, or exceptions, that no call has raised yet
        self._raised = False
        self._ended_by = []  # errors that are no Exception: of a task, and of those that await it
        self._lock = threading.Lock()  # lines may come in another thread than the test's

    # What a test calls.

    def lines(self, client=None, *, board="client"):
        """Returns the lines that a board has printed: "client", "bridge" or "server". client: an id, where there are
        several."""
        key = self._key(client, board)
        with self._lock:
            return list(self._printed.get(key, ()))

    def wait_for(self, text, client=None, *, board="client", count=1, timeout_s=None):
        """Returns the count-th line with this text that a board prints. Raises: LinkFailed."""

        def found():
            return [line for line in self.lines(client, board=board) if text in line]

        self._run(lambda: len(found()) >= count, timeout_s, f"{text!r} (x{count}) from the {board}")
        return found()[count - 1]

    def run_until(self, condition, *, timeout_s=None):
        """Returns when condition() is true. It is asked often. Raises: LinkFailed."""
        self._run(condition, timeout_s, "the condition")

    def run(self, seconds):
        """Lets so many seconds pass. Raises: LinkFailed."""
        self._pass(None, seconds)
        self.raise_unseen()

    def story(self):
        """Returns what happened last, a line each, with its second."""
        with self._lock:
            return "\n".join(self._story)

    # For the subclass and the plugin.

    def raise_unseen(self):
        """Raises the first failure that has not been raised yet."""
        if self._failures:
            failure = self._failures.popleft()
            self._failures.clear()  # the others follow from it
            self._raised = True
            raise failure if isinstance(failure, BaseException) else LinkFailed(failure)

    def raise_unlooked_for(self):
        """Raises the first failure, at the end of a test, unless the test has met one."""
        if not self._raised:
            self.raise_unseen()

    def failed(self, failure):
        self._failures.append(failure)

    def tell(self, who, text):
        with self._lock:
            self._story.append(f"{self.seconds:12.3f} s  {who:>6} {text}")

    def printed(self, client_id, board, line):
        key = self._key(client_id, board)
        with self._lock:
            self._printed.setdefault(key, deque(maxlen=KEPT)).append(line)
        of_several = f"{client_id} " if len(self.ids) > 1 and board != "server" else ""
        self.tell(of_several + board, f"| {line}")
        # Before it in the line there may be what the program has printed without an end.
        if board == "client" and line.endswith(APPLICATION_FAILED) and not self._client_may_fail:
            self.failed(f"the application of {client_id} has failed: its traceback is in the output")

    def watched(self, handler):
        """Returns a handler that calls this one, and keeps what it raises."""

        async def call(connection):
            try:
                await handler(connection)
            except ENDS:
                raise
            except BaseException as error:  # what pytest raises for a test that fails is no Exception
                self.tell("server", f"! the handler has raised {error!r}")
                self.handler_errors.append(error)
                self.ended_by(error, may=self._handler_may_fail)
                raise

        return call

    def ended_by(self, error, *, may):
        """An application has raised this. Args: may: that is no failure, unless the test itself is to end by it."""
        outcome = outcome_of(error)
        error = outcome or error
        if (outcome is None and may) or any(error is one for one in self._ended_by):
            return
        if not isinstance(error, Exception):
            self._ended_by.append(error)
        self.failed(error)

    def task_ended(self, error, *, may):
        """A task, or a callback of its loop, has ended by this, which is no Exception."""
        if not isinstance(error, ENDS):
            self.ended_by(error, may=may)

    def the_client(self, client):
        """Returns the id of a client that a test names, or of the only one."""
        if client is None:
            if len(self.ids) > 1:
                raise ValueError(f"there are several clients: name one of {', '.join(self.ids)}")
            return self.ids[0]
        if client not in self.ids:
            raise ValueError(f"there is no client {client!r}: name one of {', '.join(self.ids)}")
        return client

    def _key(self, client, board):
        if board not in ("client", "bridge", "server"):
            raise ValueError(f"a board is client, bridge or server, not {board!r}")
        return (None if board == "server" else self.the_client(client), board)

    def _run(self, condition, timeout_s, what):
        limit_s = self.default_timeout_s if timeout_s is None else timeout_s
        begin = self.seconds
        self._pass(condition, limit_s)
        self.raise_unseen()
        if not condition():
            raise LinkFailed(f"{what} did not come within {limit_s:g} s, from {begin:.3f} s on")


def outcome_of(error):
    """Returns what pytest is to take as the test's outcome: the error, or one in the group of a TaskGroup; or None."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(outcome_of, error.exceptions)), None)
    return error if isinstance(error, OUTCOMES) else None


def checked_settings(settings, made, usual):
    """Returns the items of pb_settings.json of a client: the defaults, then `usual`, then what a test gives.

    Args: settings: dict or None; made: names that the link makes, and refuses here; usual: dict. Raises: TypeError,
    ValueError that names the item.
    """
    given = settings or {}
    refused = [name for name in made if name in given]
    if refused:
        raise ValueError(f"settings: {', '.join(refused)}: the fixture makes {', '.join(made)}; leave them out")
    names = [name for name in (*NAMES, "max_line") if name not in made]
    for name in given:
        if name not in names:
            raise ValueError(f"settings: there is no setting {name!r}; there are {', '.join(names)}")
    items = {**DEFAULTS, **usual, **given}
    try:
        Settings({**items, "key": bytes(KEY_BYTES)})
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("config:", "settings:", 1)) from None
    return items


def clients_of(client):
    """Returns {id: path} of what a test gives as `client`: a path, or such a dict."""
    return dict(client) if isinstance(client, dict) else {"demo": client}
