"""The key file: what the commands do to it; the old and the new key of a client; who fails too often."""

import asyncio
import os

import pytest

from protocol.frame import PROOF, WELCOME
from protocol.framing import PREAMBLE
from protocol.handshake import Initiator
from protocol.responder import Responder
from server.core.address_backoff import FIRST_S, FREE, LONGEST_S, Guard
from server.core.keys import Keys
from server.service.key_file import KeyFile, fingerprint
from tests.server.peer import KEY, OTHER_KEY, Client, Service, open_stream, within

HELLO_BYTES = len(PREAMBLE) + 2 + len(Initiator("a", KEY, bytes(8), bytes(16)).hello())


def test_keys_are_added_rotated_and_revoked():
    file = KeyFile("keys.json")
    first, second = file.add("a"), file.add("b")
    assert file.read() == {"a": bytes.fromhex(first), "b": bytes.fromhex(second)}
    new = file.rotate("a")
    assert file.read()["a"] == [bytes.fromhex(first), bytes.fromhex(new)]
    newer = file.rotate("a")  # the new one was not used
    assert file.read()["a"] == [bytes.fromhex(first), bytes.fromhex(newer)]
    file.used("a", bytes.fromhex(newer))
    file.revoke("b")
    assert file.read() == {"a": bytes.fromhex(newer)}


def test_use_of_a_key_that_is_not_the_new_one_any_more_ends_no_other():
    """`rotate` was called again before the server, which had the new key of the first time, read the file."""
    file = KeyFile("keys.json")
    old = file.add("a")
    new = file.rotate("a")
    newer = file.rotate("a")
    for key in (new, old):
        file.used("a", bytes.fromhex(key))
        assert file.read()["a"] == [bytes.fromhex(old), bytes.fromhex(newer)]


@pytest.mark.parametrize("what", ["add", "revoke", "rotate"])
def test_wrong_id_is_an_error_that_names_it_and_the_remedy(what):
    file = KeyFile("keys.json")
    if what == "add":
        file.add("pump")
    with pytest.raises(ValueError, match="pump.*pb-link keys"):
        getattr(file, what)("pump")


def test_file_is_for_its_owner_alone():
    file = KeyFile("keys.json")
    file.add("a")
    assert os.stat("keys.json").st_mode & 0o077 == 0
    os.chmod("keys.json", 0o640)
    with pytest.raises(ValueError, match="chmod 600 keys.json"):
        file.read()


def test_fingerprint_tells_keys_apart_and_gives_none_away():
    assert fingerprint(KEY) != fingerprint(OTHER_KEY) and KEY.hex()[:8] not in fingerprint(KEY)


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


def test_who_fails_again_and_again_waits_longer_and_longer():
    now = 0.0
    guard = Guard(lambda: now)
    waits = []
    for _ in range(FREE + 12):
        assert not guard.keeps_out("x")
        guard.failed("x")
        begin = now
        while guard.keeps_out("x"):
            now += FIRST_S
        waits.append(now - begin)
    assert waits[:FREE] == [0.0] * FREE and waits[FREE : FREE + 3] == [0.5, 1.0, 2.0] and waits[-1] == LONGEST_S
    assert not guard.keeps_out("y")
    guard.failed("x")
    guard.succeeded("x")
    assert not guard.keeps_out("x")


def test_guard_remembers_a_bounded_number_of_addresses():
    guard = Guard()
    for number in range(5000):
        guard.failed(number)
    assert len(guard._failures) == 1024
