"""The server's keys, that none is ever shown, and the old and the new key of a client."""

import asyncio
import json
import os

import pytest

from protocol.frame import PROOF, WELCOME
from protocol.framing import PREAMBLE
from protocol.handshake import Initiator
from protocol.responder import Responder
from server.core.keys import Keys, load_keys, load_repl
from tests.server.peer import KEY, OTHER_KEY, Client, Service, open_stream, within

SECRET = bytes(range(200, 232))
HEX = SECRET.hex()
HELLO_BYTES = len(PREAMBLE) + 2 + len(Initiator("a", KEY, bytes(8), bytes(16)).hello())


def test_keys_are_bytes_or_hexadecimal_text():
    assert load_keys({"a": SECRET, "b": HEX, "c\n": HEX.upper()}) == {"a": SECRET, "b": SECRET, "c": SECRET}


def test_keys_come_from_a_file(tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"a": HEX}))
    assert load_keys(str(path)) == {"a": SECRET}


def test_key_file_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"a": HEX}), encoding="utf-8-sig")
    assert load_keys(str(path)) == {"a": SECRET}


def test_key_in_the_place_of_its_id_is_not_shown_by_the_error():
    for wrong in ({HEX: "pump"}, {HEX: [HEX]}):
        with pytest.raises(ValueError, match="an id that is a key itself .the id comes first.") as caught:
            load_keys(wrong)
        assert secrets_in(caught.value) == []


def test_absent_file_is_an_oserror_that_names_it(tmp_path):
    with pytest.raises(OSError, match="absent.json"):
        load_keys(str(tmp_path / "absent.json"))


@pytest.mark.parametrize("text", ["", "{", f'{{"a": "{HEX}"', f'"{HEX}"', "[]", "null", "5"])
def test_file_that_is_no_json_object_is_an_error(tmp_path, text):
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises((TypeError, ValueError)) as caught:
        load_keys(str(path))
    assert HEX not in repr(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_error_of_a_bad_file_keeps_nothing_of_it(tmp_path, encoding):
    path = tmp_path / "keys.json"
    path.write_bytes(f'{{"a": "{HEX}", "\u00e9": }}'.encode(encoding))
    with pytest.raises(ValueError, match="keys.json is not valid JSON in UTF-8") as caught:
        load_keys(str(path))
    assert secrets_in(caught.value) == []


def secrets_in(error):
    """What the error, those that it came from, and their attributes hold of the key file."""
    found = []
    while error is not None:
        held = [*error.args, *vars(error).values(), getattr(error, "object", "")]
        for text in (str(thing).replace("\\x00", "") for thing in held):  # utf-16 in bytes
            if HEX[:16] in text:
                found.append((error, text))
        error = error.__cause__ or error.__context__
    return found


SHORT, LONG = SECRET[:-1], SECRET + b"x"
BAD_KEYS = ["", None, 5, "short", SHORT, LONG, HEX[:-1], HEX[:-2], HEX + "00", "g" * 64, "\u0660" * 64, [SECRET]]


@pytest.mark.parametrize("key", BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_bad_key_is_an_error_that_names_the_id_and_shows_no_key(key):
    with pytest.raises(ValueError, match="key of pump") as caught:
        load_keys({"pump": key})
    for secret in (HEX[:16], repr(SECRET)[2:40]):
        assert secret not in str(caught.value)


@pytest.mark.parametrize("client_id", ["", "\n", "a\nb", "a\n\n", "a\r", "x" * 65, 5, b"a"])
def test_bad_id_is_an_error(client_id):
    with pytest.raises((TypeError, ValueError), match="id"):
        load_keys({client_id: SECRET})


@pytest.mark.parametrize("keys", [None, [], 5, b"keys"])
def test_keys_of_another_type_are_an_error(keys):
    with pytest.raises(TypeError, match="keys"):
        load_keys(keys)


def test_both_keys_are_good_until_the_new_one_has_been_used_and_nobody_is_refused():
    async def main():
        used = []
        keys = Keys({"a": [KEY, OTHER_KEY]})
        keys.on_used = lambda *what: used.append(what)
        async with Service(keys) as service:
            client = Client(service.port)
            for _ in range(2):
                await within(client.connect())
            assert used == []
            await within(Client(service.port, key=OTHER_KEY).connect())
            assert used == [("a", OTHER_KEY)] and sum(service.events.refusals.values()) == 0
            for _ in range(2):
                assert "wrong key" in await Client(service.port).refused()

    asyncio.run(main())


@pytest.mark.parametrize("key", [KEY, OTHER_KEY], ids=["old", "new"])
def test_what_others_say_in_its_name_does_not_get_a_client_refused(key):
    """While its key is being changed: HELLOs with a key of their own, and repeated ones of the client itself."""

    async def main():
        async with Service(Keys({"a": [KEY, OTHER_KEY]})) as service:
            stranger = Client(service.port, key=bytes(32))
            recorded = []
            for _turn in range(4):
                for _ in range(5):
                    assert "wrong key" in await stranger.refused()
                for hello in recorded:
                    reader, writer = await open_stream(service.port)
                    writer.write(hello)
                    assert (await within(reader.readexactly(3)))[2] == WELCOME
                    writer.close()
                life = Client(service.port, key=key)  # a new one each time
                await within(life.connect())
                recorded.append(life.sent[:HELLO_BYTES])
                life.cut()
            assert service.connection().nconns == 4

    asyncio.run(main())


def responder(key, client_id="a"):
    """Of a server to which a client with this key has said HELLO."""
    found = Responder()
    assert found.hello(Initiator(client_id, key, os.urandom(8), os.urandom(16)).hello()) is None
    return found


def test_key_is_chosen_by_the_hint_alone():
    keys = Keys({"a": [KEY, OTHER_KEY], "b": KEY})
    for _ in range(3):
        for key in (KEY, OTHER_KEY):
            assert keys.choose("a", responder(key).fits) == key
        assert keys.choose("a", responder(bytes(32)).fits) is None
        assert keys.choose("b", responder(KEY, "b").fits) == KEY
        assert keys.choose("b", responder(OTHER_KEY, "b").fits) is None
        assert keys.choose("nobody", responder(KEY, "nobody").fits) is None


@pytest.mark.parametrize("client_id", ["one", "two", "nobody"])
@pytest.mark.parametrize("key", [KEY, OTHER_KEY, bytes(32)])
def test_time_of_the_choice_tells_nothing(client_id, key):
    """As many hints are computed for each HELLO, whatever keys there are and whichever fits."""
    asked = []

    def fits(known):
        asked.append(known)
        return known == key

    Keys({"one": KEY, "two": [KEY, OTHER_KEY]}).choose(client_id, fits)
    assert len(asked) == 2


def test_key_that_nobody_has_lets_nobody_in():
    """What is tried in the place of a key is never chosen, even by one who guessed it."""
    assert Keys({"one": KEY}).choose("nobody", lambda key: True) is None
    assert Keys({"one": KEY}).choose("one", lambda key: True) == KEY


@pytest.mark.parametrize("after", [{}, {"a": OTHER_KEY}, {"a": [OTHER_KEY, bytes(32)]}])
def test_key_that_is_taken_away_during_a_handshake_lets_nobody_in(capsys, after):
    class Slow(Client):
        """Somebody takes its key away after its PROOF has been made."""

        def _send_frame(self, frame):
            if frame[0] == PROOF:
                keys.replace(dict(after))
            super()._send_frame(frame)

    async def main():
        async with Service(keys) as service:
            await Slow(service.port).refused()
            assert service.connection().nconns == 0
            assert "wrong key" in await Client(service.port).refused()

    keys = Keys({"a": KEY})
    asyncio.run(main())
    assert "the key was taken away during the handshake (id 'a')" in capsys.readouterr().out


def test_keys_that_are_replaced_say_whose_connections_end():
    pair = [KEY, OTHER_KEY]
    before = {"same": KEY, "gone": KEY, "other": KEY, "rotated": KEY, "ended": pair[:], "old": pair[:], "new": pair[:]}
    keys = Keys(before)
    for client_id in before:
        assert keys.proved(client_id, OTHER_KEY if client_id == "new" else KEY)
    after = {"same": KEY, "other": OTHER_KEY, "rotated": pair[:], "ended": OTHER_KEY, "old": pair[:], "new": OTHER_KEY}
    assert sorted(keys.replace(after)) == ["ended", "gone", "other"] and "gone" not in keys
    assert keys.replace({}) == ["same", "rotated", "old", "new"]


def test_client_that_has_not_connected_has_no_connection_to_end():
    assert Keys({"a": KEY}).replace({}) == []


def test_key_may_allow_the_repl(tmp_path):
    keys = {"a": {"key": HEX, "repl": True}, "b": {"key": [HEX, bytes(32).hex()], "repl": False}, "c": HEX}
    assert load_keys(keys) == {"a": SECRET, "b": [SECRET, bytes(32)], "c": SECRET}
    assert load_repl(keys) == {"a"}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    assert load_repl(str(tmp_path / "keys.json")) == {"a"}


NO_ENTRIES = [
    {},
    {"key": HEX},
    {"repl": True},
    {"key": HEX, "repl": 1},
    {"key": HEX, "repl": "yes"},
    {"key": HEX, "repl": True, "more": 1},
    {"key": "short", "repl": True},
]


@pytest.mark.parametrize("entry", NO_ENTRIES)
def test_permission_that_is_none_is_an_error_that_shows_no_key(entry):
    with pytest.raises(ValueError, match="key of a: ") as caught:
        load_keys({"a": entry})
    assert secrets_in(caught.value) == []
