"""The interface of a gateway, which connects the server to another protocol and has a section of the settings file.

The package `server/gateways/NAME/` is one gateway. It has two modules that the server looks for:

    settings.py     DESCRIPTION, a Description: the settings of the section [NAME], and the secrets. It is always
                    imported, so it needs only Python's standard library.
    gateway.py      Gateway, a subclass of the one below. It is imported if the section exists, and may need an
                    extra of the package pb_link.

No other file names a gateway: a new folder is a new gateway. docs/architecture.md, "Writing a gateway", has an example.
"""

import asyncio
import importlib
import pkgutil

from server import gateways
from server.gateways.setting import SettingsError


class Description:
    """The description of a gateway, which the server needs before the gateway runs.

    Args: title: "the MQTT gateway", for people;
    settings: dict from name to Setting, in the order of the documentation;
    at_top: True if these are at the top level of the file and not in a section. The gateway runs if one of them
        differs from its default;
    secrets: dict from name to Secret;
    extra: the name of the extra in pyproject.toml that has what gateway.py imports, or None;
    reads: the name of the setting with the ids of the clients whose lines the gateway reads, where [] is all of them.
        No other reader may then read them. None: it reads none;
    reads_channels: function (settings) that returns the channels that it reads of these clients, 0 for the lines. None:
        the lines alone;
    keyless: the name of the setting with the ids of clients that connect through the gateway without a key, or None.
        Such a setting at the top level is an option of `pb-link serve` too;
    on_request: True: commands may ask it also if the file has no section of it. It is made then, with the defaults of
        its settings, and does not run;
    contradiction: function (settings) that returns what is wrong with them together, in words, or None;
    lacking: function (settings, gateways) that returns what the settings of other gateways lack for these, in words, or
        None. gateways: {name: settings} of those that run;
    files_per_client: files that the gateway holds open for each client;
    add_commands: function (command) that adds the gateway's own commands to pb-link, or None. command: function (name,
        run, text) that returns an ArgumentParser; run: function (options, settings) that returns the exit status.
    """

    def __init__(
        self, title, settings, *, at_top=False, secrets=None, extra=None, reads=None, keyless=None,
        contradiction=lambda settings: None, lacking=lambda settings, gateways: None, files_per_client=0,
        reads_channels=None, on_request=False, add_commands=None,
    ):  # fmt: skip
        self.title = title
        self.settings = settings
        self.at_top = at_top
        self.secrets = secrets or {}
        self.extra = extra
        self.reads = reads
        self.reads_channels = reads_channels or (lambda settings: {0})
        self.keyless = keyless
        self.on_request = on_request
        self.contradiction = contradiction
        self.lacking = lacking
        self.files_per_client = files_per_client
        self.add_commands = add_commands


class Host:
    """The interface that the server provides to a gateway.

    Args: registry: Registry, whose `get(id)` is a client's Connection; store: see server/core/store.py;
    timeout_ms: the server's setting;
    secrets: dict from the name of a Secret to a function () that returns it (str), or None if there is none, and
        raises SettingsError, OSError;
    served: function () that returns the ids (set) of the clients that may connect now;
    has_key: function (id): True if this client has a key;
    log: function (event, client_id=None, **details). At most ten lines of an event are logged in ten seconds;
    subscribe: function (subscriber): from now on subscriber(event, client_id or None, dict of details) is called for
        each event. It must return at once;
    take_connections: function (admit): connections that do not begin with the protocol's preamble are for
        `await admit(transport, first)`, where first (bytes) has been read; see Listener. For one gateway only;
    status: ClientStatus: `names()`, `clients()` and `of(id)` as `pb-link clients --json` shows them;
    change_key: function (what, id): "add", "rotate" or "revoke" the key of a client. It returns the new key (str) or
        None, reads and writes files, and raises ValueError, TypeError, OSError;
    follow_log: function (follower): as subscribe, for each line of the log, after all limits. It must raise nothing;
    follow_lines: function (follower): from now on follower(client_id, line) is called for each line to a client
        (bytes), when it is stored, whoever has sent it. It must return at once and raise nothing;
    ask_gateway: coroutine function (name, request) that returns another gateway's answer, as Gateway.ask has it;
    consoles: Consoles (server/service/consoles.py): `news(id)`, `refuses_input(id)` and `type(id, text)`;
    more_files: function (count): from now on the gateway may hold so many more files open than its files_per_client
        says; below 0: fewer.
    """

    def __init__(
        self, *, registry, store, timeout_ms, secrets, served, has_key, log, subscribe, take_connections,
        more_files=lambda count: None, status=None, change_key=None,
        follow_log=lambda follower: None, follow_lines=lambda follower: None,
        consoles=None, ask_gateway=None,
    ):  # fmt: skip
        self.registry = registry
        self.store = store
        self.timeout_ms = timeout_ms
        self.secrets = secrets
        self.served = served
        self.has_key = has_key
        self.log = log
        self.subscribe = subscribe
        self.take_connections = take_connections
        self.more_files = more_files
        self.status = status
        self.change_key = change_key
        self.follow_log = follow_log
        self.follow_lines = follow_lines
        self.consoles = consoles
        self.ask_gateway = ask_gateway


class Gateway:
    """A gateway that does nothing. The subclasses in gateway.py override the methods that they need.

    Args: settings: its settings as attributes; host: Host. Raises: SettingsError, OSError: it cannot start.
    """

    def __init__(self, settings, host):
        self.settings = settings
        self.host = host

    @classmethod
    async def validate(cls, settings, secrets):
        """Return an error text, or None. For `pb-link check`: it serves no client and leaves no trace.

        secrets: as in Host. Raises: SettingsError, OSError.
        """

    async def run(self):
        """Run until cancelled, and then end within service.END_S. If it raises, the server ends."""
        await asyncio.get_running_loop().create_future()

    def served_changed(self):
        """Handle a change of the clients that may connect. It must return at once."""

    async def ask(self, request):
        """Answer a request of a command by the admin socket: a dict, as JSON has it. Returns the answer, a dict.

        Raises: ValueError, KeyError, TypeError: what is wrong, in words."""
        raise ValueError(f"{type(self).__module__} takes no requests")

    def metrics(self):
        """Return a list of (name, type, help, value) for Prometheus. Each name begins with the name of the gateway."""
        return []


def descriptions():
    """Returns a dict from the name of each existing gateway to its Description."""
    names = sorted(module.name for module in pkgutil.iter_modules(gateways.__path__) if module.ispkg)
    return {name: importlib.import_module(f"{gateways.__name__}.{name}.settings").DESCRIPTION for name in names}


def gateway_class(name):
    """Returns the class Gateway of gateway.py. Raises: SettingsError if what it needs is not installed."""
    try:
        return importlib.import_module(f"{gateways.__name__}.{name}.gateway").Gateway
    except ImportError as error:
        extra = descriptions()[name].extra
        if extra is None:
            raise
        raise SettingsError(
            f"[{name}] needs the extra {extra} of pb-link ({error}): pip install '.[{extra}]' in the checkout"
        )
