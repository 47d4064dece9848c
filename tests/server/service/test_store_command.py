"""`pb-link store`, and a server on PostgreSQL."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.patience import until
from tests.server import postgres
from tests.server.peer import until as came
from tests.server.peer import within
from tests.server.service.test_cli import APPLICATION, Server, words


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL of these tests' own."""
    postgres.needed()
    server = postgres.Postgres(fsync="off")
    yield server
    server.remove()


@pytest.fixture(scope="module")
def url(server):
    """The address of its first database."""
    return server.url


@pytest.fixture(autouse=True)
def in_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_tables_are_made_examined_and_used(url, capsys):
    assert words(f"store check {url}", capsys)[0] != 0
    assert words(f"store init {url}", capsys) == (0, "made: servers can use it now\n", "")
    status, _, error = words(f"store init {url}", capsys)
    assert status != 0 and "already" in error
    assert words(f"store init {url} --if-missing", capsys) == (0, "there already: nothing to do\n", "")
    assert words(f"store migrate {url}", capsys) == (0, "format 6: nothing to do\n", "")
    assert words(f"store check {url} --json", capsys)[1] == '{"clients": 0, "messages": 0, "bytes": 0}\n'

    Path("application.py").write_text(APPLICATION)
    with Server("--app", "application:Application", "--store", url) as server:
        assert re.search(r"started .*store=postgresql://postgres@/postgres", Path("log.txt").read_text())

        async def main():
            client = server.client()
            await within(client.connect())
            await client.write("hello\n")
            assert await within(client.expect(1)) == ["got hello\n"]
            client.cut()

        asyncio.run(main())
        until(lambda: Path("read.txt").exists() and Path("read.txt").read_text() == "hello\n", "the application")
    out = words(f"store check {url} --json", capsys)[1]
    assert json.loads(out)["clients"] == 1
    assert words(f"store copy {url} copy.db", capsys)[1].startswith("copied: 1 clients with ")
    assert words("store check copy.db", capsys) == (0, "whole: copy.db\n", "")
    status, _, error = words(f"store copy copy.db {url}", capsys)
    assert status != 0 and "has clients already" in error


def test_store_of_several_databases_is_made_used_and_moved(server, capsys):
    urls = [server.url_of(name) for name in ("one", "two", "three")]
    for name in ("one", "two", "three"):
        server.create(name)
    one, two, three = urls
    assert words(f"store init {one} {two}", capsys) == (0, "made: servers can use it now\n", "")
    assert words(f"store migrate {one} {two}", capsys)[1] == "format 6: nothing to do\n"
    status, _, error = words(f"store check {one}", capsys)
    assert status != 0 and "missing: postgresql://postgres@/two (id " in error

    async def write(server, text):
        client = server.client()
        await within(client.connect())
        await client.write(text + "\n")
        await came(lambda: f"got {text}\n" in client.lines, "the answer")
        client.cut()

    Path("application.py").write_text(APPLICATION)
    Path("pb_link.toml").write_text(f"store = {json.dumps([two, one])}\n")
    with Server("--app", "application:Application", "--config", "pb_link.toml") as running:
        assert "store=" in Path("log.txt").read_text() and "/two, " in Path("log.txt").read_text()
        asyncio.run(write(running, "hello"))
    assert words(f"store init {three}", capsys)[0] == 0
    found = words(f"store move {one} {two} --to {three} --json", capsys)
    assert found[0] == 0 and json.loads(found[1])["clients"] == 1
    status, _, error = words(f"store check {one} {two}", capsys)
    assert status != 0 and "was taken out of its store" in error
    Path("keys.json").unlink()
    with Server("--app", "application:Application", "--store", three) as running:
        asyncio.run(write(running, "again"))
    assert json.loads(words(f"store check {three} --json", capsys)[1])["clients"] == 1
    found = words(f"store move {three} --to {one} {two} {three}", capsys)
    assert found[1].startswith("moved: "), found
    assert words(f"store copy {one} {two} {three} --to copy.db", capsys)[1].startswith("copied: 1 clients")
    assert words("store check copy.db", capsys)[0] == 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("store copy a.db", "name two stores"),
        ("store check a b", "name one store"),
        ("store check a --to b", "--to is for pb-link store copy and move"),
        ("store copy a b c", "of several databases FROM .. --to TO .."),
        ("store copy a b --to postgresql://c/x", "only one in PostgreSQL has several databases"),
        ("store move postgresql://a/x", "name all databases that there are, and all then"),
        ("store move a.db --to postgresql://c/x", "pb-link store copy takes files"),
        ("store init a.db", "a server makes and migrates it by itself"),
        ("store check postgresql://127.0.0.1:1/x", "cannot be reached"),
        ("restore a.db --store postgresql://127.0.0.1:1/x", "pg_restore"),
    ],
)
def test_what_cannot_be_done_is_said(capsys, text, error):
    status, _, said = words(text, capsys)
    assert status != 0 and error in said
