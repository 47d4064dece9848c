"""Why there is no session, in words."""

import pytest

from esp_link import bridge, names, tcp, uplink
from pb_link import link
from pb_link.reasons import _SERVER, _WIFI, text
from protocol.config_record import encode_config
from protocol.control import BAD_SERVER, BAD_WIFI
from protocol.handshake import other_version
from protocol.limits import VERSION

MICROPYTHON = False
MICROPYTHON_REASON = "uses pytest"

CONFIG = encode_config(8123, "hub.example", 1500, 10, "at home", "secret password")
STORED = encode_config(8123, "10.0.0.2", 1500, 10, "", "")

WORDS = [
    (BAD_SERVER, 0, "no connection to hub.example:8123"),
    (BAD_SERVER, 1, "nobody listens at hub.example:8123"),
    (BAD_SERVER, 2, "hub.example:8123 does not answer"),
    (BAD_SERVER, 3, "name server does not answer, so the address of hub.example is not known"),
    (BAD_SERVER, 4, "no address is known for hub.example"),
    (BAD_SERVER, 5, "hub.example:8123 closes each connection without a word: it is no pb_link server"),
    (BAD_SERVER, 6, "hub.example:8123 takes connections and does not answer: it is no pb_link server"),
    (BAD_SERVER, 7, "hub.example:8123 answers, but is no pb_link server"),
    (BAD_SERVER, 8, "hub.example:8123 ends each connection before there is a session"),
    (BAD_SERVER, 255, "no connection to hub.example:8123"),
    (BAD_SERVER, "refused: unknown id or wrong key", "hub.example:8123 for the id 'pump': refused: unknown id"),
    (BAD_WIFI, 0, "'at home' could not be joined"),
    (BAD_WIFI, 1, "has not begun to join the Wi-Fi network 'at home'"),
    (BAD_WIFI, 2, "'at home' takes too long"),
    (BAD_WIFI, 3, "'at home' refuses the password"),
    (BAD_WIFI, 4, "there is no Wi-Fi network 'at home'"),
    (BAD_WIFI, 5, "'at home' refuses the connection"),
    (BAD_WIFI, 6, "'at home' could not be joined"),
]


@pytest.mark.parametrize(("kind", "why", "words"), WORDS, ids=range(len(WORDS)))
def test_reason_names_the_place_and_what_is_there_and_nothing_secret(kind, why, words):
    found = text(kind, why, CONFIG, "pump")
    assert words in found and "secret" not in found and "{" not in found


def test_every_code_has_its_words():
    assert {why for kind, why, _ in WORDS if kind == BAD_SERVER and why in range(99)} == set(range(len(_SERVER)))
    assert {why for kind, why, _ in WORDS if kind == BAD_WIFI} > set(range(len(_WIFI)))


CODES = [
    (bridge._W_NOT_KNOWN, "could be made"),
    (bridge._W_NO_LISTENER, "nobody listens"),
    (bridge._W_NO_ANSWER, "8123 does not answer"),
    (uplink._W_NO_ANSWER, "8123 does not answer"),
    (names._W_NO_NAME_SERVER, "name server"),
    (names._W_NO_HOST, "no address is known"),
    (tcp._W_NO_HOST, "no address is known"),
    (uplink._W_CLOSED, "closes each"),
    (uplink._W_SILENT, "takes connections and does not answer"),
    (link._W_SILENT, "takes connections and does not answer"),
    (uplink._W_FOREIGN, "answers, but"),
    (uplink._W_UNFINISHED, "before there is a session"),
]


@pytest.mark.parametrize(("code", "words"), CODES, ids=range(len(CODES)))
def test_codes_mean_the_same_at_both_ends(code, words):
    assert words in text(BAD_SERVER, code, CONFIG, "a")


def test_stored_network_has_no_name_here():
    assert "the Wi-Fi network that is stored in the ESP8266 refuses the password" in text(BAD_WIFI, 3, STORED, "a")


def test_other_version_of_the_firmware_is_not_taken_for_that_of_the_server():
    same, other = (text(BAD_SERVER, "refused: " + other_version("server", n), CONFIG, "a") for n in (VERSION, 9))
    assert "the ESP8266's firmware speaks another protocol version" in same
    assert "the server speaks protocol version 9, this is %d" % VERSION in other
