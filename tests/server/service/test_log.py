"""The log: a line an event, whatever a peer says, and though nobody takes it."""

import asyncio
import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.service.cli import main
from server.service.key_file import KeyFile
from server.service.log import Log
from tests.server.peer import Client, free_port, open_stream, within
from tests.server.service.test_service import started


def test_log_is_a_line_an_event_whatever_a_peer_says(capsys):
    Log("text")("refused", peer="x", reason='two\nlines "and" more', id="\u2028")
    Log("json")("refused", "pump", reason="two\nlines")
    shown = capsys.readouterr()
    assert not shown.out  # that is the application's
    text, data = shown.err.splitlines()
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
    Path("x.toml").write_text('log_file = "/dev/full"')
    process = started("serve", "--port", str(port), "--config", "x.toml")
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


def test_log_goes_to_the_file_of_the_settings_and_to_a_new_one_after_it_was_renamed(tmp_path, capsys):
    path = tmp_path / "pb_link.log"
    log = Log("json", path=str(path))
    log("one")
    path.rename(tmp_path / "old.log")
    log("two")
    log.reopen()
    log("three")
    events = [[json.loads(line)["event"] for line in open(name)] for name in (tmp_path / "old.log", path)]
    assert events == [["one", "two"], ["three"]] and path.stat().st_mode & 0o007 == 0
    path.rename(tmp_path / "older.log")
    path.mkdir()
    log.reopen()
    log("four")
    assert [json.loads(line)["event"] for line in open(tmp_path / "older.log")] == ["three", "log_not_reopened", "four"]
    assert capsys.readouterr() == ("", "")


def test_prints_of_an_application_are_not_mixed_into_the_log():
    KeyFile("keys.json").add("pump")
    Path("talker.py").write_text(
        "import asyncio\n"
        "class Application:\n"
        "    async def run(self):\n"
        "        print('no JSON')\n"
        "        await asyncio.sleep(0.2)\n"
    )
    Path("x.toml").write_text(f'port = {free_port()}\nlog = "json"\napp = "talker:Application"')
    process = started("serve", "--config", "x.toml", stdout=subprocess.PIPE)
    out, err = process.communicate(timeout=60)
    assert out == "no JSON\n"
    assert {json.loads(line)["event"] for line in err.splitlines()} == {"started", "ended", "stopped"}


def test_log_is_passed_to_logging(caplog):
    caplog.set_level(logging.INFO, "pb_link")
    Log("text", file=open(os.devnull, "w"))("few_files", limit=64, needed=307)
    record = caplog.records[0]
    assert record.getMessage() == "few_files limit=64 needed=307"
    assert (record.name, record.levelname) == ("pb_link", "WARNING")


def test_client_without_a_key_that_the_application_waits_for_is_told_once():
    KeyFile("keys.json").add("pump")
    Path("waiter.py").write_text(
        "import asyncio\n"
        "from server import client_conn\n"
        "class Application:\n"
        "    async def run(self):\n"
        "        waits = [asyncio.create_task(client_conn(name)) for name in ('pump', 'no one', 'no one', 'old')]\n"
        "        await asyncio.sleep(0.1)\n"
    )
    settings = f'port = {free_port()}\nlog = "json"\napp = "waiter:Application"\nallow_legacy = ["old"]'
    Path("x.toml").write_text(settings)
    err = started("serve", "--config", "x.toml").communicate(timeout=60)[1]
    told = [event for event in map(json.loads, err.splitlines()) if event["event"] == "no_key"]
    assert [(event["client"], event["reason"]) for event in told] == [
        ("no one", "the application waits for it: pb-link keys add 'no one'")
    ]


def test_log_file_on_a_full_disk_is_counted_and_a_new_one_is_opened(tmp_path):
    path = tmp_path / "pb_link.log"
    path.symlink_to("/dev/full")
    log = Log("json", path=str(path))
    log("one")
    log("two")
    path.unlink()
    log.reopen()
    log("three")
    found = [json.loads(line) for line in open(path)]
    assert [(line["event"], line.get("lines")) for line in found] == [("log_lost", 2), ("three", None)]


@pytest.mark.parametrize("name", ["absent/x.log", "."])
def test_log_file_that_cannot_be_opened_is_an_error_that_names_the_setting(name, capsys):
    Path("x.toml").write_text(f'port = {free_port()}\nlog_file = "{name}"')
    assert main(["serve", "--config", "x.toml"]) == 1
    why = f"there is no folder {os.path.abspath('absent')}" if "/" in name else "Is a directory"
    text = f"log_file {os.path.abspath('.')}/{name} cannot be opened: {why}"
    assert capsys.readouterr().err == f"pb-link: {text}\n"
    assert main(["check", "--config", "x.toml", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["log_file"] == text


def test_check_leaves_no_log_file_and_the_one_that_is_there_as_it_is(capsys):
    Path("folder").mkdir()
    Path("folder/x.toml").write_text(f'port = {free_port()}\nlog_file = "x.log"')
    main(["check", "--config", "folder/x.toml"])
    assert "log_file: good" in capsys.readouterr().out and not Path("folder/x.log").exists()
    Path("folder/x.log").write_text("before")  # the path is relative to the folder of the settings
    main(["check", "--config", "folder/x.toml"])
    assert Path("folder/x.log").read_text() == "before"


@pytest.mark.parametrize("remedy", ["", "logging.getLogger('pb_link').propagate = False\n"])
def test_application_that_sets_up_logging_gets_the_events_there_too_unless_it_says_no(remedy):
    KeyFile("keys.json").add("pump")
    Path("logger.py").write_text(
        "import logging\n"
        "logging.basicConfig(level=logging.INFO)\n" + remedy + "class Application:\n"
        "    async def run(self):\n"
        "        logging.info('its own')\n"
    )
    Path("x.toml").write_text(f'port = {free_port()}\napp = "logger:Application"')
    err = started("serve", "--config", "x.toml").communicate(timeout=60)[1]
    assert "INFO:root:its own\n" in err and err.count("stopped") == (1 if remedy else 2)


def test_followers_get_each_line():
    log, found = Log("text", io.StringIO()), []
    log.followers.append(lambda *line: found.append(line))
    log("connected", "pump", peer="x")
    log("stopped")
    assert found == [("connected", "pump", {"peer": "x"}), ("stopped", None, {})]
