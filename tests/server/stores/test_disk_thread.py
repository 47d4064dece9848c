import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from server.stores.disk_thread import DiskThread
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def disk():
    disk = DiskThread()
    yield disk
    disk.close()


def test_functions_are_called_in_order_and_done_in_the_loop(disk):
    async def main():
        everything = asyncio.Event()
        for number in range(20):
            disk.start(lambda n=number: called.append((n, threading.get_ident())), done)
        disk.start(lambda: "result", lambda *outcome: (done(*outcome), everything.set()))
        await asyncio.wait_for(everything.wait(), PATIENCE_S)

    def done(result, error):
        assert error is None
        told.append((result, threading.get_ident()))

    called, told = [], []
    asyncio.run(main())
    assert [number for number, _ in called] == list(range(20))
    assert threading.get_ident() not in {thread for _, thread in called}
    assert {thread for _, thread in told} == {threading.get_ident()}
    assert (len(told), told[-1][0]) == (21, "result")


def test_what_a_function_raises_is_told_and_the_next_one_is_called(disk):
    async def main():
        outcomes = asyncio.Queue()
        disk.start(lambda: 1 / 0, lambda *outcome: outcomes.put_nowait(outcome))
        disk.start(lambda: 2, lambda *outcome: outcomes.put_nowait(outcome))
        result, error = await outcomes.get()
        assert result is None and isinstance(error, ZeroDivisionError)
        assert await outcomes.get() == (2, None)

    asyncio.run(main())


def test_join_returns_when_everything_has_been_called(disk):
    called = []
    disk.start(lambda: (time.sleep(0.05), called.append(1)), None)
    disk.join()
    assert called == [1]


def test_close_calls_what_was_started():
    disk, called = DiskThread(), []
    for number in range(5):
        disk.start(lambda n=number: called.append(n), None)
    disk.close()
    assert called == [0, 1, 2, 3, 4]


def test_loop_that_has_ended_is_not_told_and_another_one_is_an_orphans(disk):
    async def first():
        disk.start(lambda: gate.wait(PATIENCE_S), lambda *outcome: told.append(outcome))
        assert not disk.orphaned()

    async def second():
        assert disk.orphaned()
        disk.start(lambda: None, lambda *outcome: None)
        assert not disk.orphaned()

    gate, told = threading.Event(), []
    asyncio.run(first())
    assert disk.orphaned()
    gate.set()
    disk.join()
    asyncio.run(second())
    assert told == []


def test_thread_does_not_keep_the_process_alive():
    program = "from server.stores.disk_thread import *; import time; DiskThread().start(lambda: time.sleep(60), 0)"
    subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT)}, check=True, timeout=PATIENCE_S)


def test_cancellation_in_the_thread_is_an_error_and_ends_nothing(disk):
    """A library that is called may raise it: it is no Exception."""

    async def main():
        told = asyncio.get_running_loop().create_future()

        def cancelled():
            raise asyncio.CancelledError("within")

        disk.start(cancelled, lambda *outcome: told.set_result(outcome))
        result, error = await told
        assert result is None and isinstance(error, Exception) and "within" in str(error)

    asyncio.run(main())
    called = []
    disk.start(lambda: called.append(1), None)
    disk.join()
    assert called == [1]
