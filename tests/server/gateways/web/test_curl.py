"""The commands with curl that docs/web.md shows, as they stand but for the address: those about clients and events."""

import asyncio
import json
import re
import shlex
import shutil

import pytest

from tests.peers.documented import ROOT
from tests.server.gateways.web.bed import served_test
from tests.server.peer import within

SHOWN = "127.0.0.1:8081"  # the address in the document
COMMANDS = [
    line.removeprefix("$ ")
    for line in (ROOT / "docs" / "web.md").read_text().splitlines()
    if re.match(r"\$ curl .*/api/(clients|events)\b", line)
]


@pytest.fixture
def curl(missing_tool):
    return shutil.which("curl") or missing_tool("curl is not installed: apt-get install -y curl")


async def output_of(words, line=None):
    """Returns what a command prints: all, or up to this line, after which it is ended."""
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    try:
        if line is None:
            printed, _ = await within(process.communicate())
            assert process.returncode == 0
            return printed.decode()
        printed = ""
        while not printed.endswith(line):
            printed += (await within(process.stdout.readline())).decode() or pytest.fail(f"it ended after {printed!r}")
        return printed
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def words_of(command, curl, found):
    address = "{}:{}".format(*found.gateway.address[:2])
    text = command.replace("$TOKEN", found.tokens["send"]).replace(SHOWN, address)
    return [curl, "--silent", "--show-error", "--fail", *shlex.split(text)[1:]]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_of_the_document_does_what_it_says(tmp_path, curl, command):
    async def test(found):
        words = words_of(command, curl, found)
        if "/api/events" in command:
            assert (await output_of(words, "event: snapshot\n")).count("event:") == 1
        elif "/lines" in command:
            assert json.loads(await output_of(words))
            assert found.fleet.clients["pump"].lines == ["valve open"]
        else:
            found.fleet.connect("pump")
            found.fleet.leave("pump")
            assert [row["id"] for row in json.loads(await output_of(words))["clients"]] == ["pump"]

    served_test(tmp_path, test, "pump")


def test_document_has_commands_of_both():
    assert {re.search(r"/api/(\w+)", command)[1] for command in COMMANDS} == {"clients", "events"}
