"""Joining a network: what is stored in the chip first, then what the client has configured."""

import pytest

from esp_link.wifi import join
from primitives.platform import sleep_ms
from tests.link.virtual import now_ms, run

IDLE, CONNECTING, WRONG_PASSWORD, NO_AP, FAIL, GOT_IP = range(6)


class FakeWlan:
    """network.WLAN of an ESP8266. outcomes: for each connect() the status that it ends in after `takes_ms`;
    None: nothing is stored, it never begins; "hang": it never ends; "raise": connect() raises OSError.
    stored: ssid, bytes."""

    def __init__(self, *outcomes, takes_ms=2000, stored=b"old"):
        self.outcomes = list(outcomes)
        self.takes_ms = takes_ms
        self.stored = stored
        self.calls = []
        self._outcome = None
        self._begun = 0

    def isconnected(self):
        return self.status() == GOT_IP

    def status(self):
        if self._outcome is None:
            return IDLE
        if self._outcome == "hang" or now_ms() - self._begun < self.takes_ms:
            return CONNECTING
        return self._outcome

    def disconnect(self):
        self.calls.append("disconnect")
        self._outcome = None

    def connect(self, *credentials):
        self.calls.append(credentials)
        self._begun = now_ms()
        outcome = self.outcomes.pop(0)
        if outcome == "raise":
            raise OSError("no credentials")
        self._outcome = outcome
        if credentials:
            self.stored = credentials[0].encode()

    def config(self, what):
        assert what == "ssid"
        return self.stored.decode()


def joined(wlan, ssid="net", password="secret", leave=False):
    async def main():
        begun = now_ms()
        return await join(sleep_ms, wlan, IDLE, CONNECTING, ssid, password, leave), now_ms() - begun

    return run(main())


def attempts(wlan):
    return [call for call in wlan.calls if call != "disconnect"]


def test_stored_network_is_joined_first():
    wlan = FakeWlan(GOT_IP)
    assert joined(wlan)[0]
    assert attempts(wlan) == [()]


@pytest.mark.parametrize("failure", [WRONG_PASSWORD, NO_AP, FAIL, None, "hang", "raise"])
def test_configured_network_is_joined_when_the_stored_one_fails(failure):
    wlan = FakeWlan(failure, GOT_IP)
    good, took_ms = joined(wlan)
    assert good == 1 and attempts(wlan) == [(), ("net", "secret")]
    assert took_ms <= 15000 + 2500


@pytest.mark.parametrize("failure", [WRONG_PASSWORD, NO_AP, FAIL, None, "hang", "raise"])
def test_failure_of_both_is_told_in_bounded_time(failure):
    wlan = FakeWlan(failure, failure)
    outcome, took_ms = joined(wlan)
    assert outcome < 0 and took_ms <= 31000


@pytest.mark.parametrize(
    ("ends", "status"),
    [(WRONG_PASSWORD, 2), (NO_AP, 3), (FAIL, 4), ("hang", CONNECTING), (None, IDLE), ("raise", IDLE)],
)
def test_failure_names_the_status_in_which_the_last_attempt_ended(ends, status):
    assert joined(FakeWlan(NO_AP, ends))[0] == -1 - status
    assert joined(FakeWlan(ends), "", "")[0] == -1 - status


def test_nothing_stored_is_noticed_quickly():
    assert joined(FakeWlan(None, GOT_IP))[1] < 4000


def test_wrong_password_is_noticed_quickly():
    outcome, took_ms = joined(FakeWlan(WRONG_PASSWORD, WRONG_PASSWORD, takes_ms=100))
    assert outcome < 0 and took_ms < 1000


def test_empty_ssid_means_the_stored_network_only():
    wlan = FakeWlan(NO_AP)
    assert joined(wlan, "", "")[0] < 0
    assert attempts(wlan) == [()]


def test_network_that_is_joined_is_left_alone():
    async def main():
        wlan = FakeWlan(GOT_IP, takes_ms=0)
        wlan.connect()
        wlan.calls.clear()
        begun = now_ms()
        assert await join(sleep_ms, wlan, IDLE, CONNECTING, "net", "secret", False)
        assert wlan.calls == [] and now_ms() == begun

    run(main())


def test_attempt_that_the_chip_has_begun_by_itself_is_not_disturbed():
    async def main():
        wlan = FakeWlan(GOT_IP)
        wlan.connect()
        wlan.calls.clear()
        assert await join(sleep_ms, wlan, IDLE, CONNECTING, "net", "secret", False)
        assert wlan.calls == []

    run(main())


def on_a_network(stored, ssid, leave, *outcomes):
    """join() while the stored network is joined. Returns (what it returned, calls of the chip meanwhile)."""

    async def main():
        wlan = FakeWlan(GOT_IP, *outcomes, takes_ms=0, stored=stored)
        wlan.connect()
        wlan.calls.clear()
        return await join(sleep_ms, wlan, IDLE, CONNECTING, ssid, "secret", leave), wlan.calls

    return run(main())


def test_join_tells_whether_there_is_another_network_to_try():
    assert on_a_network(b"net", "net", False) == (1, [])
    assert on_a_network(b"old", "net", False) == (2, [])
    assert on_a_network(b"old", "", False) == (1, [])
    assert joined(FakeWlan(GOT_IP, stored=b"old"))[0] == 2
    assert joined(FakeWlan(GOT_IP, stored=b"net"))[0] == 1


def test_network_that_is_joined_is_left_for_the_configured_one_on_request():
    assert on_a_network(b"old", "net", True, GOT_IP) == (1, ["disconnect", ("net", "secret")])
    assert on_a_network(b"old", "net", True, NO_AP) == (-1 - NO_AP, ["disconnect", ("net", "secret")])


def test_configured_network_that_is_joined_is_never_left():
    assert on_a_network(b"net", "net", True) == (1, [])
    assert on_a_network(b"old", "", True) == (1, [])


def test_network_that_is_not_joined_is_tried_before_it_is_left():
    wlan = FakeWlan(GOT_IP)
    assert joined(wlan, leave=True)[0] == 2 and attempts(wlan) == [()]


def test_ssid_of_32_bytes_is_known_again_though_the_chip_reads_the_password_with_it():
    assert on_a_network(b"n" * 32 + b"secret", "n" * 32, True) == (1, [])
    assert on_a_network(b"n" * 31 + b"x" + b"secret", "n" * 32, True, GOT_IP)[0] == 1
    assert on_a_network("\U0001f4a1".encode(), "\U0001f4a1", True) == (1, [])


def test_stored_ssid_that_is_not_utf_8_is_another_one():
    assert on_a_network(b"\xff\xfe", "net", True, GOT_IP) == (1, ["disconnect", ("net", "secret")])
