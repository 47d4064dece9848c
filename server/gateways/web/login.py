"""Logging in and out, and who one is."""

import asyncio

from server.core.address_backoff import LONGEST_S, AddressBackoff
from server.gateways.web.access import COOKIE
from server.gateways.web.routes import Failure, body_of, json_answer, peer_of

MAX_CHECKS = 4  # of passwords at a time: each takes memory and a thread; more are refused


class Login:
    """Args: access: Access; prefix: path of the cookie; log: function (event, **details)."""

    def __init__(self, access, prefix, log):
        self._access = access
        self._path = prefix or "/"
        self._log = log
        self._backoff = AddressBackoff()
        self._checks = 0

    async def log_in(self, request, user):
        """POST /api/login: {"user", "password"}. The session is a cookie that no script of a page can read."""
        body = await body_of(request, {"user": str, "password": str})
        peer = peer_of(request)
        if self._checks >= MAX_CHECKS or self._backoff.refuses(peer):
            raise Failure(429, "there were too many attempts: wait a minute", {"Retry-After": str(int(LONGEST_S))})
        users = self._access.users
        users.all()
        self._checks += 1
        # Counted as a failure until it is none: attempts that come together are not more than those that come in turn.
        self._backoff.failed(peer)
        try:
            found = await asyncio.to_thread(users.of_password, body["user"], body["password"])
        finally:
            self._checks -= 1
        if found is None:
            self._log("web_login_failed", user=body["user"][:32], peer=peer)
            raise Failure(401, "there is no such user with this password")
        self._backoff.succeeded(peer)
        self._log("web_login", user=found.name, peer=peer)
        answer = json_answer(_shown(found))
        answer.set_cookie(
            COOKIE, self._access.sessions.begin(found), max_age=self._access.sessions.length_s, path=self._path,
            secure=request.url.scheme == "https", httponly=True, samesite="strict",
        )  # fmt: skip
        return answer

    async def log_out(self, request, user):
        """POST /api/logout: the session ends."""
        self._access.sessions.end(request.cookies.get(COOKIE, ""))
        answer = json_answer({})
        answer.delete_cookie(COOKIE, path=self._path, httponly=True, samesite="strict")
        return answer

    async def me(self, request, user):
        """GET /api/me."""
        return _shown(user)


def _shown(user):
    return {"user": user.name, "role": user.role}
