"""Who asks, and whether the request may come from where it comes. Pure: it is given a request's parts.

A request is of a session (a cookie), of a script (a bearer token), or, if the settings say so, of anybody on this
computer. A browser sends cookies along with what pages of others ask for: what changes something must say that it
comes from the page itself, by Sec-Fetch-Site, or by Origin in older browsers. A token is sent by its script alone.
"""

from collections import namedtuple

from remote_i2c.web import access as door
from server.gateways.web.roles import covers
from server.gateways.web.users import User

COOKIE = "pb_link_session"
SAFE = ("GET", "HEAD")
_BEARER = "bearer "
_OWN = ("same-origin", "none")  # "none": typed by the user
_LOCAL = "127.0.0.1"

# status: of HTTP; text: for the one who asks.
Refusal = namedtuple("Refusal", "status text")

WRONG_HOST = Refusal(421, "this page is not known by that name: see the setting hosts of [web]")
PROXIED = Refusal(403, "a proxy has passed this on, and [web] has anonymous: nobody would need a password")
FOREIGN = Refusal(403, "this comes from a page of another origin: see the setting origins of [web]")
NO_ORIGIN = Refusal(403, "this must say where it comes from (Sec-Fetch-Site or Origin), or have a token")
LOG_IN = Refusal(401, "log in first, or send a token")
NOT_ALLOWED = Refusal(403, "your role does not allow this")


class Access:
    """Args: host: where it listens; hosts, origins, anonymous: settings; sessions: Sessions; users: Users."""

    def __init__(self, host, hosts, origins, anonymous, sessions, users):
        self.sessions = sessions
        self.users = users
        self._anonymous = User("anonymous", anonymous, None, None) if anonymous else None
        self._door = door.Access(_LOCAL, None, origins, [host, *hosts])  # the rules for hosts and origins are the same

    def refuses_request(self, headers):
        """Returns the Refusal of what nothing is served, or None. headers: a mapping, its names in small letters."""
        if not self._door.admits_host(headers.get("host", "")):
            return WRONG_HOST
        if self._anonymous and ("x-forwarded-for" in headers or "forwarded" in headers):
            return PROXIED
        return None

    def asker(self, headers, cookies):
        """Returns the User who asks, or None."""
        authorization = headers.get("authorization", "")
        if authorization.lower().startswith(_BEARER):
            return self.users.of_token(authorization[len(_BEARER) :].strip())
        if COOKIE in cookies:
            user = self.sessions.user(cookies[COOKIE], self.users.all())
            if user is not None:
                return user
        return self._anonymous

    def refuses_origin(self, method, headers):
        """Returns the Refusal of a request of the API because of the page that it comes from, or None."""
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if headers.get("authorization", "").lower().startswith(_BEARER):
            return None  # no browser adds it by itself
        if origin is not None and not self._door.admits_origin(origin, headers.get("host", "")):
            return FOREIGN
        if site is not None and site not in _OWN and not (origin and self._door.admits_named_origin(origin)):
            return FOREIGN
        if method not in SAFE and (site is None or site == "none") and origin is None:
            return NO_ORIGIN
        return None

    def refuses(self, needed, method, headers, user):
        """Returns the Refusal of a request of the API, or None. needed: a role, or None: anybody may; user: User or
        None."""
        refusal = self.refuses_origin(method, headers)
        if refusal is not None or needed is None:
            return refusal
        if user is None:
            return LOG_IN
        return None if covers(user.role, needed) else NOT_ALLOWED
