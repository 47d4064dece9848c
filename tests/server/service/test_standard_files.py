"""A process that was started with closed standard files: nothing printed lands in a file that was opened later."""

import asyncio
import signal
import subprocess
from pathlib import Path

import pytest

from server.service.key_file import KeyFile
from tests.patience import PATIENCE_S, until
from tests.server.peer import Client, free_port, within
from tests.server.service.test_service import ENVIRONMENT, PB_LINK


def shell(words, closed):
    """A pb-link as a process, without these standard files."""
    line = 'exec "$@" ' + " ".join(f"{number}>&-" for number in closed)
    command = ["sh", "-c", line, "sh", *PB_LINK, *words]
    return subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)


def test_command_with_closed_stdout_does_nothing_and_says_so():
    process = shell(("keys", "add", "pump"), (1,))
    text = process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 1 and "stdout is closed" in text and text.count("\n") == 1, text
    assert not Path("keys.json").exists()  # a key that nobody has seen is of no use


def test_command_with_closed_stderr_prints_no_error_among_its_answers():
    line = 'exec "$@" 2>&-'
    done = subprocess.run(
        ["sh", "-c", line, "sh", *PB_LINK, "clients"], env=ENVIRONMENT, capture_output=True, text=True,
        timeout=PATIENCE_S
    )
    assert done.returncode == 1 and done.stdout == ""


@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1, 2)])
def test_server_with_closed_standard_files_serves_and_keeps_its_store(closed):
    async def use(key):
        client = Client(port, "pump", key)
        for _ in range(1200):
            try:
                await within(client.connect())
                break
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
        numbers = {Path(f"/proc/{process.pid}/fd/{number}").readlink() for number in closed}
        assert numbers == {Path("/dev/null")}  # none of them is the store, or a socket
        await client.write("line")
        await within(client.acknowledged())
        client.cut()

    port, key = free_port(), bytes.fromhex(KeyFile("keys.json").add("pump"))
    process = shell(("serve", "--host", "127.0.0.1", "--port", str(port)), closed)
    try:
        asyncio.run(use(key))
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()


def test_sighup_does_not_end_the_server_and_reopens_its_log():
    KeyFile("keys.json").add("pump")
    code = (
        "import sys; from server.service.log import Log; Log.reopen = lambda log: print('reopened', flush=True)\n"
        "from server.__main__ import main; sys.exit(main())"
    )
    words = (PB_LINK[0], "-c", code, "serve", "--host", "127.0.0.1", "--port", str(free_port()))
    with open("log.txt", "w") as log:
        process = subprocess.Popen(words, env=ENVIRONMENT, stdout=log, stderr=log)
    try:
        for what in (" started ", "reopened"):
            until(lambda what=what: what in Path("log.txt").read_text(), what)
            process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
