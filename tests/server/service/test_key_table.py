"""`keys = "store"`: keys in the database, as commands change them and a server follows them."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from protocol.errors import StoreError
from server.gateways.setting import SettingsError
from server.service.key_file import KeyFile
from server.service.key_table import FollowedKeys, KeyTable
from server.stores import postgres_admin, postgres_hints
from server.stores.postgres_keys import PostgresKeys
from server.stores.sharded import ShardedStore
from tests.patience import until as until_now
from tests.server.peer import KEY, OTHER_KEY, Client, within
from tests.server.service.databases import done, made
from tests.server.service.test_cli import Server, words


@pytest.fixture
def url():
    return made()


def test_table_does_what_the_file_does(url):
    for source in (KeyFile("keys.json"), KeyTable(url)):
        first, second = source.add("a", repl=True), source.add("\u00e4 b", OTHER_KEY.hex())
        assert source.read() == {"a": bytes.fromhex(first), "\u00e4 b": OTHER_KEY} and source.repl() == {"a"}
        assert second == OTHER_KEY.hex()
        new = source.rotate("a")
        assert source.read()["a"] == [bytes.fromhex(first), bytes.fromhex(new)] and source.repl() == {"a"}
        assert source.rotate("a", repl=False) != new and source.repl() == set()
        with pytest.raises(ValueError, match="a has a key"):
            source.add("a")
        source.revoke("a")
        with pytest.raises(ValueError, match="a has no key"):
            source.revoke("a")
        assert list(source.read()) == ["\u00e4 b"]


def test_keys_go_from_the_file_to_the_store_and_back_with_nothing_lost(url, capsys):
    file = KeyFile("keys.json")
    for client_id in ("a", "b"):
        file.add(client_id)
    file.rotate("b", repl=True)  # which is not completed
    store = f"--store {url}"
    assert words(f"keys copy keys.json store {store}", capsys)[0] == 0
    status, out, _ = words(f"keys copy keys.json {url} --json", capsys)  # again: it was killed, perhaps
    assert status == 0 and json.loads(out) == {"copied": 0, "there": 2}
    assert words(f"keys copy store copy.json {store}", capsys)[0] == 0
    assert Path("copy.json").read_text() == Path("keys.json").read_text()
    assert words(f"keys list --keys store {store}", capsys)[1] == words("keys list", capsys)[1]

    file.rotate("a")
    file.add("c")
    status, _, error = words(f"keys copy keys.json store {store}", capsys)
    assert status == 1 and "1 clients have another key there" in error and "c" not in KeyTable(url).read()
    for text, why in (("keys copy keys.json", "name two places"), ("keys list a b", "takes one client")):
        status, _, error = words(text, capsys)
        assert status == 1 and why in error


def test_commands_work_on_the_table_and_a_file_has_none(url, capsys):
    Path("x.toml").write_text(f'keys = "store"\nstore = "{url}"')
    status, out, _ = words("keys add pump --repl --config x.toml", capsys)
    key = re.search("^[0-9a-f]{64}$", out, re.MULTILINE)[0]
    assert status == 0 and KeyTable(url).read() == {"pump": bytes.fromhex(key)} and not Path("keys.json").exists()
    assert words("keys add valve --settings valve.json --config x.toml", capsys)[0] == 0
    assert KeyTable(url).read()["valve"].hex() == json.loads(Path("valve.json").read_text())["key"]
    assert words("check --config x.toml", capsys)[1].startswith("keys: good\n")
    for text in ("keys add pump --keys store", "serve --keys store", "keys copy store keys.json"):
        status, _, error = words(text, capsys)
        assert status == 1 and 'keys = "store" needs a database' in error
    Path("store").write_text("{}")  # a file of that name
    Path("store").chmod(0o600)
    Path("y.toml").write_text('keys = "./store"')
    assert words("keys add pump --config y.toml", capsys)[0] == 0 and "pump" in Path("store").read_text()


def test_role_of_the_servers_completes_rotations_and_gives_nobody_a_key():
    role = "pb_link_keys"
    owner = made()
    done(owner, f"DROP ROLE IF EXISTS {role}", f"CREATE ROLE {role} LOGIN")
    done(owner, "DROP SCHEMA pb_link CASCADE")
    postgres_admin.init(owner, role=role)
    table, own = KeyTable(owner), KeyTable(owner.replace("postgres@", f"{role}@"))
    table.add("a")
    new = table.rotate("a", repl=True)
    assert own.read() == table.read() and own.repl() == {"a"}
    for change in (lambda: own.add("b"), lambda: own.revoke("a"), lambda: own.rotate("a", repl=False)):
        with pytest.raises(StoreError, match="permission denied.*--store postgresql://OWNER@"):
            change()
    assert table.read()["a"][1].hex() == new
    postgres_admin.change_key(own._address, "a", lambda entry: (entry[0][1], entry[1]))
    assert table.read() == {"a": bytes.fromhex(new)}


def test_server_follows_the_table(url, capsys):
    """Also without a hint, and it keeps its keys while those of the table cannot be read."""
    log, config = Path("log.txt"), f"--keys store --store {url}"

    def logged(text, count=1):
        until_now(lambda: log.read_text().count(text) >= count, text)

    async def play(server):
        async def comes(key, client_id="pump"):
            """Returns the client, once it is let in: at its next attempt after the server knows its key."""
            while True:
                client = Client(server.port, client_id, key)
                try:
                    await client.connect()
                    return client
                except AssertionError:  # refused
                    client.cut()
                    await asyncio.sleep(0.1)

        def told(text):
            status, out, error = words(f"{text} {config} --json", capsys)
            assert status == 0, error
            return bytes.fromhex(json.loads(out)["key"] or "")

        async def tell(text):
            return await asyncio.to_thread(told, text)

        old = await tell("keys add pump")
        client = await within(comes(old))
        new = await tell("keys rotate pump")
        await asyncio.to_thread(logged, "keys_read", 2)
        assert client.up
        client.cut()
        client = await within(comes(new))
        await asyncio.to_thread(until_now, lambda: KeyTable(url).read() == {"pump": new}, "the end of the rotation")
        await tell("keys revoke pump")
        await client.ended()
        # Without a hint: the heartbeat finds it.
        change = "UPDATE pb_link.key_change SET stamp = gen_random_uuid()"
        insert = "INSERT INTO pb_link.client_key VALUES ('{}', '\\x{}')"
        await asyncio.to_thread(done, url, insert.format("valve", KEY.hex()), change)
        valve = await within(comes(KEY, "valve"))
        await asyncio.to_thread(done, url, insert.format("x", "abcd"), change)
        await asyncio.to_thread(logged, "keys_unreadable")
        valve.cut()
        (await within(comes(KEY, "valve"))).cut()

    with Server("--keys", "store", "--store", url) as server:
        asyncio.run(play(server))
        assert server.end()[0] == 0
    text = log.read_text()
    assert "key of x in the database" in text and "abcd" not in text and KEY.hex() not in text


def test_keys_of_a_store_of_several_databases_are_in_the_first_one(capsys):
    urls = [made(tables=False) for _ in range(2)]
    postgres_admin.init(urls)
    KeyTable(urls).add("pump", repl=True)
    found = KeyTable(urls).snapshot()
    assert list(found[1]) == ["pump"] and KeyTable(urls[0]).snapshot() == found and not KeyTable(urls[1]).read()
    with pytest.raises(SettingsError, match="and .* has none: name that one first"):
        KeyTable(urls[::-1]).read()
    Path("x.toml").write_text(f'keys = "store"\nstore = {json.dumps(urls)}')
    assert words("keys list --config x.toml", capsys)[1].startswith("pump ")
    assert words("keys copy store copy.json --config x.toml", capsys)[0] == 0
    assert KeyFile("copy.json").repl() == {"pump"}
    store = ShardedStore(urls)
    try:
        assert asyncio.run(within(store.keys.read())) == found
    finally:
        store.close()


class Table(PostgresKeys):
    """What a server has of the table. It answers with what `stored` has, or raises it."""

    def __init__(self, stored):
        super().__init__(None)
        self.stored = stored
        self.changes = []

    async def read(self):
        return self.stored

    async def change(self, client_id, function):
        if isinstance(self.stored, Exception):
            raise self.stored
        self.changes.append((client_id, function((self.stored[1][client_id], False))))


def test_completed_rotation_that_cannot_be_stored_is_told():
    async def main():
        told = asyncio.Queue()
        table = Table(("1", {"a": [OTHER_KEY, KEY]}, set()))
        keys = FollowedKeys(table, table.stored, lambda *what: told.put_nowait(what))
        keys.used("a", KEY)
        await asyncio.gather(*keys._writing)
        assert table.changes == [("a", (KEY, False))]
        table.stored = StoreError("it is away")
        keys.used("a", KEY)
        assert await within(told.get()) == ("a", table.stored)

    asyncio.run(main())


def test_change_between_start_and_first_look_is_not_missed():
    async def main():
        table = Table(("2", {"a": KEY}, {"a"}))
        keys = FollowedKeys(table, ("1", {}, set()), None)
        looking = asyncio.create_task(keys.next_look())
        table.seen("1")
        table.seen("2")
        await within(looking)
        assert (keys.stamp(), keys.read(), keys.repl()) == table.stored

    asyncio.run(main())


def test_hint_of_a_change_is_one_that_servers_read():
    assert postgres_hints.decode_hint("keys:") == {"keys": None}
