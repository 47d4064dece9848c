"""The gateways that the settings enable, from their creation to their end."""

from server.gateways.interface import Host, descriptions, gateway_class
from server.gateways.setting import SettingsError
from server.service.settings import defaults_of, reserve_lines


class RunningGateways:
    """All gateways of one server.

    Args: settings, secrets: see settings.py and secret_settings.py."""

    def __init__(self, settings, secrets):
        self._settings = settings
        self._secrets = secrets
        self._all = []
        self._by_name = {}
        self._made = None  # function (name, settings) that makes a gateway
        self._admits = None  # title of the gateway that takes connections

    @property
    def files_per_client(self):
        known = descriptions()
        return sum(known[name].files_per_client for name in self._settings.gateways)

    def make(
        self, registry, store, listener, *, keys, served, rate_limited, subscribe, more_files, status=None,
        change_key=None, follow_log=None, consoles=None,
    ):  # fmt: skip
        """Create all gateways. rate_limited: function () that returns a new log each time; the others: see Host.

        Raises: SettingsError, LocalProtocolError, OSError: one of them cannot start.
        """
        reserve_lines(registry.readers, self._settings.gateways)

        def made(name, settings):
            host = Host(
                registry=registry, store=store, timeout_ms=self._settings.timeout_ms,
                secrets=self._secrets.of_gateway(name, settings), served=served, has_key=keys.__contains__,
                log=rate_limited(), subscribe=subscribe, more_files=more_files,
                take_connections=lambda admit: self._give_connections(listener, name, admit),
                status=status, change_key=change_key, follow_log=follow_log,
                follow_lines=registry.line_followers.append, consoles=consoles,
                ask_gateway=self.ask,
            )  # fmt: skip
            return gateway_class(name)(settings, host)

        self._made = made
        for name, settings in self._settings.gateways.items():
            self._by_name[name] = made(name, settings)
            self._all.append(self._by_name[name])

    def _give_connections(self, listener, name, admit):
        title = descriptions()[name].title
        if listener.admit_other is not None:
            raise SettingsError(f"{self._admits} and {title} would both take connections: take one out of the settings")
        self._admits = title
        listener.admit_other = admit

    def runs(self):
        """Returns a coroutine for each gateway, which runs it until cancelled."""
        return [gateway.run() for gateway in self._all]

    def served_changed(self):
        """Tell all gateways that the set of clients that may connect has changed."""
        for gateway in self._all:
            gateway.served_changed()

    async def ask(self, name, request):
        """Returns a gateway's answer to a request of a command. Raises: ValueError, KeyError, TypeError."""
        if name not in self._by_name:
            description = descriptions().get(name)
            if description is None or not description.on_request:
                raise ValueError(f"the server's settings have no section [{name}]")
            self._by_name[name] = self._made(name, defaults_of(description))
        return await self._by_name[name].ask(request)

    def metrics(self):
        """Returns (name, type, help, value) of the counters of all gateways."""
        return [metric for gateway in self._all for metric in gateway.metrics()]
