"""The log: a line an event, whatever a peer says, and though nobody takes it."""

import asyncio
import json
import sys

from server.service.key_file import KeyFile
from server.service.log import Log
from tests.server.peer import Client, free_port, open_stream, within
from tests.server.service.test_service import started


def test_log_is_a_line_an_event_whatever_a_peer_says(capsys):
    Log("text")("refused", peer="x", reason='two\nlines "and" more', id="\u2028")
    Log("json")("refused", "pump", reason="two\nlines")
    text, data = capsys.readouterr().out.splitlines()
    assert 'peer=x reason="two\\nlines \\"and\\" more" id="\\u2028"' in text
    assert json.loads(data).items() >= {"event": "refused", "client": "pump", "reason": "two\nlines"}.items()


def test_log_that_cannot_be_written_keeps_nobody_from_being_served():
    async def serve(process, port, key):
        client = Client(port, "pump", key)
        await (await open_stream(port))[1].drain()
        await within(client.connect())
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) == 0
        client.cut()

    port, key = free_port(), bytes.fromhex(KeyFile("keys.json").add("pump"))
    with open("/dev/full", "w") as full:
        process = started("serve", "--port", str(port), stdout=full)
    try:
        asyncio.run(serve(process, port, key))
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait()


def test_log_counts_the_lines_that_it_could_not_write(capsys):
    class Full:
        full = True

        def write(self, text):
            if self.full:
                raise OSError(28, "No space left on device")
            return sys.stdout.write(text)

        def flush(self):
            pass

    file = Full()
    log = Log("json", file)
    log("one")
    log("two")
    file.full = False
    log("three")
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["event"], line.get("lines")) for line in found] == [("log_lost", 2), ("three", None)]
