"""`pb-link store`, and a server on PostgreSQL."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from tests.patience import until
from tests.server import postgres
from tests.server.peer import within
from tests.server.service.test_cli import APPLICATION, Server, words


@pytest.fixture(scope="module")
def url():
    """The address of a database of this test's own."""
    postgres.needed()
    server = postgres.Postgres(fsync="off")
    yield server.url
    server.remove()


@pytest.fixture(autouse=True)
def in_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_tables_are_made_examined_and_used(url, capsys):
    assert words(f"store check {url}", capsys)[0] != 0
    assert words(f"store init {url}", capsys) == (0, "made: servers can use it now\n", "")
    status, _, error = words(f"store init {url}", capsys)
    assert status != 0 and "already" in error
    assert words(f"store init {url} --if-missing", capsys) == (0, "there already: nothing to do\n", "")
    assert words(f"store migrate {url}", capsys) == (0, "format 4: nothing to do\n", "")
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


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("store copy a.db", "name two stores"),
        ("store check a b", "name one store"),
        ("store init a.db", "a server makes and migrates it by itself"),
        ("store check postgresql://127.0.0.1:1/x", "cannot be reached"),
        ("restore a.db --store postgresql://127.0.0.1:1/x", "pg_restore"),
    ],
)
def test_what_cannot_be_done_is_said(capsys, text, error):
    status, _, said = words(text, capsys)
    assert status != 0 and error in said
