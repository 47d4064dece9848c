"""The settings of the section [web] of a settings file. docs/web.md has a table of them."""

import re

from remote_i2c.listen import is_loopback, split_listen
from server.gateways.interface import Description
from server.gateways.setting import boolean, choice, host_port, integer, path, text, texts
from server.gateways.web.roles import ROLES
from server.gateways.web.user_command import add_commands

USERS = "web_users.json"
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:\d{1,5})?")


def _contradiction(settings):
    host, _ = split_listen(settings.listen)
    if bool(settings.certificate) != bool(settings.key):
        return "certificate and key belong together: give both, or neither"
    if settings.anonymous and not is_loopback(host):
        return f"whoever reaches {host} would need no password: take anonymous away, or listen at 127.0.0.1"
    if settings.anonymous and (settings.proxy or settings.hosts):
        return "whoever reaches the reverse proxy would need no password: take anonymous away, or proxy and hosts"
    if not is_loopback(host) and not settings.certificate and not settings.plain:
        return (
            f"passwords could be read on the way to {host}: give certificate and key, or listen at 127.0.0.1. If a "
            "proxy with TLS or the network protects them, say so: plain = true"
        )


def unknown_bus(names, known):
    """Returns what is wrong with the setting `i2c`, or None. known: names of the buses of [i2c]."""
    for name in names:
        if name not in known:
            return f"[web] i2c names the bus {name!r}, but the buses of [i2c.buses] are: {', '.join(known) or 'none'}"
    return None


def _lacking(settings, gateways):
    return unknown_bus(settings.i2c, gateways["i2c"].buses if "i2c" in gateways else ())


DESCRIPTION = Description(
    "the web page",
    {
        "listen": host_port("127.0.0.1:8081", 'HOST:PORT, such as "127.0.0.1:8081"'),
        "users": path(USERS, "the path of the file of users: pb-link web user makes it"),
        "anonymous": choice("", *ROLES),
        "session_hours": integer(12, 1, 720),
        "hosts": texts("a list of names by which the page may be asked for"),
        "origins": texts(
            'a list of origins of the page itself, such as ["https://desk.example"]', lambda one: _ORIGIN.fullmatch(one)
        ),
        "prefix": text("", 'the path at which a reverse proxy shows the page, such as "/pb_link"', _PREFIX.fullmatch),
        "proxy": text("", "the address of the reverse proxy, whose X-Forwarded-For is believed"),
        "i2c": texts("a list of names of buses of [i2c.buses] that may be used here"),
        "certificate": path("", "the path of a file, PEM, with the chain behind it"),
        "key": path("", "the path of a file, PEM"),
        "plain": boolean(False),
        "history": boolean(True),
        "history_bytes": integer(256 << 20, 1 << 20, 1 << 40),
    },
    extra="web",
    contradiction=_contradiction,
    lacking=_lacking,
    add_commands=lambda command: add_commands(command, USERS),
)
