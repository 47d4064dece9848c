"""A server is killed by SIGKILL around each transaction of a request: its handler never runs again."""

import asyncio
import os
import signal

import pytest

from protocol.channel_records import ANSWER, FAILURE
from protocol.requests import ident
from server import SQLiteStore
from server.stores.sqlite_file import SQLiteFile
from tests.server.core.test_requests import joined, waiting
from tests.server.peer import Service, until

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
TRANSACTIONS = 9  # more than there are from the client's first connection to the end of the first request


def life(path, ran, ends):
    """One life of the server, with a new life of the client, that asks and waits until ends(client, service)."""

    def handler(data):
        with open(ran, "ab") as file:
            file.write(data + b"\n")
            file.flush()
        return b"answer"

    async def main():
        async with Service(store=SQLiteStore(path)) as service:
            client, conn = await joined(service)
            conn.on_request(20, handler)
            return await ends(client, service)

    return asyncio.run(main())


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("count", range(1, TRANSACTIONS))
def test_handler_runs_at_most_once_and_the_next_server_answers(tmp_path, count, after):
    path, ran = tmp_path / "store.db", tmp_path / "ran"
    child = os.fork()
    if not child:
        _be_killed(path, ran, count, after)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0  # 0: there were fewer transactions

    async def ends(client, service):
        client.ask(2, b"second")
        await until(lambda: any(one[0][:4] == ident(2) for one in client.got.get(20, ())), "the answer")
        await until(lambda: not waiting(service), "the removal")
        return await client.calls(len(client.got[20]))

    found = {name: (data, kind) for name, data, kind in life(path, ran, ends)}
    runs = ran.read_bytes().split()
    assert found[ident(2)] == (b"answer", ANSWER)
    assert runs.count(b"first") <= 1 and runs.count(b"second") == 1
    if ident(1) in found:  # the former life of the client may have taken it
        data, kind = found[ident(1)]
        assert (data, kind) == (b"answer", ANSWER) and b"first" in runs or kind == FAILURE and b"restarted" in data


def _be_killed(path, ran, count, after):
    """The child: ends without a word at the count-th transaction."""
    left, commit = [count], SQLiteFile.commit

    def killing(self, *args):
        left[0] -= 1
        if not left[0] and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        commit(self, *args)
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    async def ends(client, service):
        client.ask(1, b"first")
        await client.calls(1)
        await until(lambda: not waiting(service), "the removal")

    try:
        SQLiteFile.commit = killing
        life(path, ran, ends)
        os._exit(0)
    except BaseException:
        os._exit(1)


def test_that_many_transactions_cover_the_request(tmp_path):
    commits = []

    async def ends(client, service):
        before = service.store.commits
        client.ask(1, b"first")
        await client.calls(1)
        await until(lambda: not waiting(service), "the removal")
        commits.extend((before, service.store.commits))

    life(tmp_path / "store.db", tmp_path / "ran", ends)
    assert commits[1] - commits[0] >= 3 and commits[1] < TRANSACTIONS
