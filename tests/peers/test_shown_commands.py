"""Commands that documents show and that are not run as they stand: transcripts, and what is of other machines.

Each is one that a test runs under other names, which the table says, or is in the table of what no test runs, with its
reason. Blocks of `sh` are not here: test_documented_commands.py types them.
"""

import re
import shlex
import subprocess

import pytest

from tests.peers.documented import DOCUMENTS, ROOT, all_blocks
from tests.peers.test_documented_commands import fault_of
from tests.test_repository import words_of

PROGRAMS = (
    "apt-get|chmod|curl|docker|git|grpcurl|install|make|micropython|mosquitto_\\w+|mpremote|openssl|pb-link|pip|python3|"
    "sudo|systemctl|useradd"
)
PROGRAM = rf"(?:\$ )?(?:[A-Z_]+=\S+ )*(?:{PROGRAMS}) "
FENCED = re.compile(rf"^{PROGRAM}.*$")
INDENTED = re.compile(rf"^    {PROGRAM}.*$")
TRANSCRIPTS = ("", "text", "console")  # behind the fence

# What a command begins with, the longest that fits: the test that runs such commands.
RUN_BY = {
    "curl": "tests/server/gateways/web/test_curl.py",
    "mosquitto_pub": "tests/peers/mosquitto.py",
    "mosquitto_rr": "tests/peers/test_mqtt_requests.py",
    "pb-link console": "tests/peers/test_console.py",
    "pb-link i2c": "tests/server/service/test_i2c_command.py",
    "pb-link keys": "tests/server/service/test_key_table.py",
    "pb-link serve": "tests/server/service/test_service.py",
    "pb-link sim board": "tests/peers/test_install.py",
    "pb-link sim demo": "tests/sim/mpy/test_demo.py",
    "pb-link sim up": "tests/peers/test_install.py",
    "pb-link smbus": "tests/server/service/test_smbus_command.py",
    "pb-link store": "tests/server/service/test_store_command.py",
    "pb-link web user": "tests/server/gateways/web/test_user_command.py",
    "pb-link web-i2c": "tests/server/service/test_web_i2c_command.py",
    "python3 build/sensor_types.py": "tests/build/install/test_sensor_types.py",
    "python3 -m pb_link.smbus": "tests/remote_i2c/smbus_client/test_install.py",
}
# The same: why no test runs it.
NOT_RUN = {
    "grpcurl": "Debian does not have it; tests/remote_i2c/rpc/test_door.py asks the same of the reflection by grpcio",
    "install": "it changes the machine's system; tests/peers/test_deploy_examples.py checks the files that it installs",
    "pip install": "from an index: tests/peers/test_install.py installs the wheel",
    "python3 -m venv": "into /opt: tests/peers/test_install.py installs the wheel",
    "systemctl": "it needs systemd; tests/peers/test_deploy_examples.py has systemd-analyze verify the unit",
    "useradd": "it changes the machine's system",
}
# Commands of one block that are run here, as they stand.
LITERAL = ("python3 -c", "chmod", "openssl")


def shown(document):
    """Yields the commands of a document outside of blocks of `sh`, each on one line and without a prompt."""
    for fence, block in all_blocks(document):
        if fence in TRANSCRIPTS:
            yield from _commands(block.replace("\\\n", " "), FENCED)
    text = (ROOT / document).read_text(encoding="utf-8")
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from _commands(outside.replace("\\\n", " "), INDENTED)


def _commands(text, pattern):
    for line in text.splitlines():
        if pattern.match(line):
            command = re.sub(r"\s{2,}# .*$", "", line).strip().removeprefix("$ ")
            yield re.sub(r"^(?:[A-Z_]+=\S+ )+", "", command)


def entry(command, *tables):
    """Returns (key, value) of the longest key that the command begins with, or None."""
    keys = [(key, table[key]) for table in tables for key in table if f"{command} ".startswith(f"{key} ")]
    return max(keys, key=lambda one: len(one[0]), default=None)


COMMANDS = [(document, command) for document in DOCUMENTS for command in shown(document)]


def test_every_shown_command_is_run_by_a_test_or_has_a_reason():
    literal = dict.fromkeys(LITERAL, "here")
    found = [f"{document}: {command}" for document, command in COMMANDS if not entry(command, RUN_BY, NOT_RUN, literal)]
    assert not found, "name the test that runs it, or say why none does:\n" + "\n".join(found)


@pytest.mark.parametrize(("key", "test"), RUN_BY.items())
def test_named_test_has_the_command(key, test):
    text = (ROOT / test).read_text()
    for word in key.removeprefix("pb-link ").removeprefix("python3 ").replace("build/", "").split():
        assert re.search(rf"(?<!\w){re.escape(word.removesuffix('.py'))}(?!\w)", text), f"{test} does not have {word!r}"


def test_tables_have_nothing_that_no_document_shows():
    used = {entry(command, RUN_BY, NOT_RUN)[0] for _, command in COMMANDS if entry(command, RUN_BY, NOT_RUN)}
    assert used == {*RUN_BY, *NOT_RUN}


def test_shown_commands_have_options_that_exist():
    own = (*LITERAL, *NOT_RUN, "pb-link i2c ")  # the tools on I2C buses have their own forms, those of the i2c-tools
    checked = [command for _, command in COMMANDS if not command.startswith(own) and words_of(command)]
    faults = {command: fault for command in checked if (fault := fault_of(command))}
    assert checked
    assert not faults


def test_key_and_token_are_made_as_shown(tmp_path, missing_tool):
    """The block of docs/remote-i2c.md that makes a token and a certificate."""
    commands = [command for _, command in COMMANDS if command.startswith(LITERAL)]
    assert [command.split()[0] for command in commands] == ["python3", "chmod", "openssl"]
    for command in commands:
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600 and len((tmp_path / "token").read_text()) > 32
    assert "PRIVATE KEY" in (tmp_path / "key.pem").read_text() and "CERTIFICATE" in (tmp_path / "chain.pem").read_text()


def test_commands_are_found_where_they_are_shown(tmp_path, monkeypatch):
    text = (
        "```text\n$ pb-link gone \\\n    --more\nanswer\n```\n\n    FOO=1 curl http://x   # why\n\n"
        "```sh\nmake test\n```\n\n```toml\ninstall = 1\n```\n\nSee `make demo`.\n"
    )
    (tmp_path / "a.md").write_text(text)
    monkeypatch.setattr("tests.peers.documented.ROOT", tmp_path)
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert [shlex.split(one) for one in shown("a.md")] == [["pb-link", "gone", "--more"], ["curl", "http://x"]]
    assert entry("pb-link gone", RUN_BY, NOT_RUN) is None
    assert entry("pb-link web-i2c serve", RUN_BY)[0] == "pb-link web-i2c"
