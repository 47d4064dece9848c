"""Logging in: right, wrong, and again and again."""

import asyncio
import threading

from server.core.address_backoff import FREE
from server.gateways.web.login import MAX_CHECKS
from tests.server.gateways.web.bed import served_test
from tests.server.peer import until


def test_in_and_out(tmp_path):
    async def test(found):
        browser = found.browser()
        answer = await browser.log_in("sam")
        assert answer.json == {"user": "sam", "role": "send"}
        assert (await browser.get("/api/me")).json == {"user": "sam", "role": "send"}
        out = await browser.post("/api/logout")
        assert out.status == 200 and "max-age=0" in out.headers["set-cookie"].lower()
        assert (await browser.get("/api/me")).status == 401  # the cookie is worth nothing any more

    served_test(tmp_path, test)


def test_wrong_password_is_told_and_says_no_more_than_a_wrong_name(tmp_path):
    async def test(found):
        wrong = [await found.browser().log_in(*pair) for pair in (("sam", "wrong"), ("bob", "wrong"))]
        assert wrong[0].status == wrong[1].status == 401 and wrong[0].body == wrong[1].body
        assert ("web_login_failed", None, {"user": "sam", "peer": "127.0.0.1"}) in found.told
        assert not any("wrong" in str(told) for told in found.told)

    served_test(tmp_path, test)


def test_flood_of_attempts_is_slowed_also_with_the_right_password(tmp_path):
    async def test(found):
        for _ in range(FREE + 1):
            assert (await found.browser().log_in("sam", "wrong")).status == 401
        answer = await found.browser().log_in("sam", "wrong")
        assert answer.status == 429 and answer.headers["retry-after"] == "60"

    served_test(tmp_path, test)


def test_attempts_at_the_same_time_are_few(tmp_path):
    async def test(found):
        users = found.gateway.access.users
        go, checks, check = threading.Event(), [], users.of_password

        def held(*words):
            checks.append(words)
            go.wait()
            return check(*words)

        users.of_password = held
        try:
            trying = [asyncio.create_task(found.browser().log_in("sam", "wrong")) for _ in range(MAX_CHECKS)]
            await until(lambda: len(checks) == MAX_CHECKS, "checks of all of them")
            assert (await found.browser().log_in("sam")).status == 429
        finally:
            go.set()
        assert {(await task).status for task in trying} == {401}
        assert len(checks) == MAX_CHECKS

    served_test(tmp_path, test)


def test_success_forgets_the_failures(tmp_path):
    async def test(found):
        for _ in range(3):
            for _ in range(FREE - 1):
                assert (await found.browser().log_in("sam", "wrong")).status == 401
            assert (await found.browser().log_in("sam")).status == 200

    served_test(tmp_path, test)
