"""Who may use the door: tokens, origins of pages, names of hosts. Pure.

A browser sends the Origin of the page with each WebSocket, and the page cannot change it; without this rule, any page
that a user looks at could use the buses on his desk. A Host that nobody named is refused, because a foreign name may
have been made to point here (DNS rebinding): then Origin and Host agree, and are both foreign.
"""

import hmac
import ipaddress
import re

from remote_i2c.listen import LOCAL_NAME, is_loopback

# The Origin of pages from files, and of each page that another one shows in a sandboxed iframe: anybody can make these.
NO_ORIGIN = "null"
# Characters of a token: no one guesses as many random ones.
MIN_TOKEN = 16
MAX_TOKEN = 256

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:\d{1,5})?|null")


class Access:
    """Args: host: where the door listens; token: str, or None; origins: of pages that others serve, such as
    "https://desk.example:8443", or "null", with a token, for pages from files; hosts: names by which the door may be
    asked for, beside the one where it listens and addresses as numbers; protected: whether others cannot read along:
    with TLS, or because of a proxy or network that the user answers for.

    Raises: ValueError: it would be open to everybody, or a part is none.
    """

    def __init__(self, host, token=None, origins=(), hosts=(), protected=False):
        if token is None and not is_loopback(host):
            raise ValueError(
                f"whoever reaches {host} could use the buses: give a token, or listen at 127.0.0.1, which is this "
                "computer alone"
            )
        if not protected and not is_loopback(host):
            raise ValueError(
                f"the token could be read on the way to {host}: give a certificate and its key, or listen at "
                "127.0.0.1. If a proxy with TLS or the network protects it, say so: --plain, or web_plain = true"
            )
        if token is not None and not MIN_TOKEN <= len(token.encode()) <= MAX_TOKEN:
            raise ValueError(f"a token has {MIN_TOKEN} to {MAX_TOKEN} bytes: `openssl rand -hex 16` makes one")
        for origin in origins:
            if not _ORIGIN.fullmatch(origin.lower()):
                raise ValueError(f'{origin!r} is no origin: write "https://host" or "http://host:port", without a path')
            if origin.lower() == NO_ORIGIN and token is None:
                raise ValueError('each page can have the origin "null", in an iframe: give a token, or serve the pages')
        self._token = None if token is None else token.encode()
        self._origins = frozenset(origin.lower() for origin in origins)
        self._hosts = {LOCAL_NAME, host.lower(), *(name.lower() for name in hosts)}

    def admits_token(self, token):
        """Returns whether a hello with this token, bytes, is good. Without a token of the door all are."""
        return self._token is None or hmac.compare_digest(self._token, token)

    def admits_host(self, host):
        """Returns whether the door may be asked for by this Host header."""
        name = re.sub(r":\d*$", "", host.lower())
        return name in self._hosts or _is_number(name.strip("[]"))

    def admits_origin(self, origin, host):
        """Returns whether a page of this Origin may open a WebSocket. None: it is no page. host: the Host header."""
        if origin is None:
            return True
        origin = origin.lower()
        return origin in self._origins or origin.partition("://")[2] == host.lower() != ""

    def admits_named_origin(self, origin):
        """The same for pages that cannot come from the door itself, and for callers that give no token."""
        return origin is not None and origin.lower() in self._origins


def _is_number(name):
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True

