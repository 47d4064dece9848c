"""Each finding of `pb-link doctor`, on a computer where its cause is there."""

import contextlib
import errno
import json
import os
import socket
import sqlite3
from pathlib import Path

import pytest

from server import SQLiteStore
from server.service import checkup, local_socket, settings
from server.service.checkup import Subject
from server.service.cli import main
from server.service.finding import GOOD, NOTE, WRONG
from server.service.machine import Machine, SerialPort
from server.service.secret_settings import Secrets
from server.stores import postgres_schema
from server.stores.sqlite_file import SCHEMA_VERSION
from tests.server.service.databases import done, made

ADDRESS = "192.0.2.7"


class Computer(Machine):
    """A computer on which all is well, but for what a test sets."""

    platform = "linux"
    python = (3, 12, 1)

    def __init__(self):
        self.time = 1_800_000_000
        self.programs = {}  # name -> output
        self.files = {}
        self.packages = {"mpremote": "1.29.0", "esptool": "5.6.0"}
        self.pins = {}
        self.listens = set()
        self.unbound = None
        self.free = 10 << 30
        self.root = self.owner = True
        self.owners = {}  # path -> user
        self.ports = [SerialPort("/dev/ttyACM0", "Pyboard", "dialout", True)]
        self.network = ADDRESS

    def now(self):
        return self.time

    def has_program(self, name):
        return name in self.programs

    def output(self, *command):
        return self.programs[command[0]]

    def text_of(self, path):
        return self.files.get(path, "")

    def package_version(self, name):
        return self.packages.get(name)

    def pinned(self, extra):
        return self.pins.get(extra, {})

    def own_address(self):
        if self.network is None:
            raise OSError("Network is unreachable")
        return self.network

    def addresses_of(self, name):
        return {name} if name[0].isdigit() else set()

    def answers(self, host, port):
        return (host, port) in self.listens

    def bind_fault(self, host, port):
        return self.unbound

    def listener(self, port):
        return "nginx (process 7)"

    def free_bytes(self, folder):
        return self.free

    def is_root(self):
        return self.root

    def is_mine(self, path):
        return self.owner

    def owner_of(self, path):
        return self.owners.get(path, "root")

    def serial_ports(self):
        return self.ports


@pytest.fixture
def computer(tmp_path, monkeypatch, capsys):
    """A Computer with the files of `pb-link init pump` in the current folder."""
    monkeypatch.chdir(tmp_path)
    assert main(["init", "pump", "--server", ADDRESS]) == 0
    capsys.readouterr()
    return Computer()


@pytest.fixture
def found(computer):
    """Runs a check. Returns its findings as (level, text and remedy)."""

    def look(check, **changes):
        subject = Subject(settings.read("pb_link.toml", changes), Secrets({}), ["pb_settings.json"], computer)
        return [(one.level, f"{one.text} -> {one.remedy}") for one in check(subject)]

    return look


def levels(found):
    return [level for level, _ in found]


def change(**items):
    with open("pb_settings.json", "r+", encoding="utf-8") as file:
        whole = {**json.load(file), **items}
        file.seek(0)
        file.truncate()
        json.dump(whole, file)


def test_healthy_computer_has_nothing_wrong(found):
    for check in checkup.WITH_SETTINGS:
        assert WRONG not in levels(found(check)), check


def test_old_python_and_absent_or_other_packages_are_told(computer, found):
    computer.python = (3, 10, 4)
    computer.packages = {"aiomqtt": "2.4.0", "esptool": "5.6.0"}
    computer.pins = {"mqtt": {"aiomqtt": "2.5.1", "paho-mqtt": "2.2.0"}}
    with open("pb_link.toml", "a", encoding="utf-8") as file:
        file.write('[mqtt]\nhost = "broker.example"\n')
    seen = found(checkup.versions)
    assert (WRONG, "this is Python 3.10.4 -> install Python 3.11 or newer") in seen
    assert (WRONG, "[mqtt] needs paho-mqtt -> pip install '.[mqtt]' in the checkout") in seen
    assert any(level == NOTE and text.startswith("aiomqtt is 2.4.0; pb_link") for level, text in seen)
    assert any(level == NOTE and text.startswith("mpremote is not here") for level, text in seen)
    assert (GOOD, "esptool 5.6.0 -> ") in seen


def test_package_of_the_store_is_asked_for(computer, found):
    computer.pins = {"postgres": {"asyncpg": "0.32.0"}}
    seen = found(checkup.versions, store="postgresql://pb_link@db.invalid/links")
    assert (WRONG, "the store needs asyncpg -> pip install '.[postgres]' in the checkout") in seen


@pytest.mark.parametrize(
    "content, text", [("{}", "nobody has a key -> pb-link keys add"), ("{", "keys.json"), (None, "nobody has a key")]
)
def test_keys_that_are_none_are_told(found, content, text):
    os.unlink("keys.json")
    if content is not None:
        with open("keys.json", "w", encoding="utf-8") as file:
            file.write(content)
        os.chmod("keys.json", 0o600)
    (finding,) = found(checkup.keys)
    assert finding[0] == WRONG and text in finding[1]


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_files_that_others_can_read_are_told(found):
    os.chmod("keys.json", 0o644)
    os.chmod("pb_settings.json", 0o644)
    assert found(checkup.keys)[0][0] == WRONG and "chmod 600" in found(checkup.keys)[0][1]
    text = "others can read it: it has a key and the password of the Wi-Fi -> chmod 600 pb_settings.json"
    assert (WRONG, text) in found(checkup.clients)


@pytest.mark.parametrize(
    "items, level, text",
    [
        ({"key": "00" * 32}, WRONG, "is not the server's key of pump"),
        ({"id": "valve"}, WRONG, "the server has no key of valve -> pb-link keys add valve --settings"),
        ({"port": 9000}, WRONG, "its port is 9000, and the server's is 8123"),
        ({"timeout_ms": 3000}, WRONG, "its timeout_ms is 3000, and the server's is 1500"),
        ({"server": "nowhere.example"}, WRONG, "nowhere.example, has no address here"),
        ({"server": "127.0.0.1"}, NOTE, "which only a client in the simulator reaches"),
        ({"server": f"{ADDRESS}:9000"}, NOTE, "its server is port 9000 of 192.0.2.7, and this server's port is 8123"),
        ({"server": f"192.0.2.7, {ADDRESS}:8123", "port": 9000}, NOTE, "its server is port 9000 of 192.0.2.7"),
        ({"server": "192.0.2.9"}, NOTE, "its server is 192.0.2.9, and this computer is 192.0.2.7"),
        ({"password": "short"}, WRONG, "password has 5 bytes"),
        ({"color": "red"}, WRONG, "there is no setting 'color'"),
    ],
)
def test_settings_of_a_client_that_do_not_go_with_the_servers_are_told(found, items, level, text):
    change(**items)
    (finding,) = [one for one in found(checkup.clients) if one[0] != GOOD]
    assert finding[0] == level and text in finding[1] and "00000000" not in finding[1]


def test_settings_of_a_client_that_are_absent_are_told_with_the_command_that_makes_them(found):
    os.unlink("pb_settings.json")
    command = "pb-link keys add ID --settings pb_settings.json --config pb_link.toml"
    assert found(checkup.clients) == [(WRONG, f"there is no pb_settings.json -> {command} makes it")]


def test_client_whose_key_is_being_rotated_is_well(found):
    with open("pb_settings.json", encoding="utf-8") as file:
        old = json.load(file)["key"]
    with open("keys.json", "w", encoding="utf-8") as file:
        json.dump({"pump": [old, "11" * 32]}, file)
    assert levels(found(checkup.clients)) == [GOOD]


def test_key_that_cannot_be_compared_is_not_called_good(found):
    with open("keys.json", "w", encoding="utf-8") as file:
        file.write("{")
    ((level, text),) = found(checkup.clients)
    assert level == NOTE and "was not compared" in text


def test_port_of_another_program_is_told_by_its_name(computer, found):
    computer.listens.add(("127.0.0.1", 8123))
    ((level, text),) = found(checkup.port)
    assert level == WRONG and text.startswith("nginx (process 7) listens on port 8123, and it is not the server")


def test_client_whose_address_has_the_right_port_is_well(found):
    change(server=f"{ADDRESS}:8123", port=9000)
    assert levels(found(checkup.clients)) == [GOOD]


def test_running_server_that_has_another_port_than_the_settings_is_told(computer, found, monkeypatch):
    monkeypatch.setattr(checkup, "ask", lambda path, request, limit_s: iter([{"clients": [], "port": 8124}]))
    text = "the server of this folder listens on port 8124, and the settings have 8123"
    remedy = "restart the server, or set the port back"
    assert found(checkup.port) == [(WRONG, f"{text} -> {remedy}")]
    computer.listens.add(("127.0.0.1", 8123))
    assert found(checkup.port) == [(WRONG, f"{text}, which nginx (process 7) has -> {remedy}")]


def test_running_server_that_does_not_answer_at_its_port_is_told(found, monkeypatch):
    monkeypatch.setattr(checkup, "ask", lambda path, request, limit_s: iter([{"clients": [], "port": 8123}]))
    ((level, text),) = found(checkup.port)
    assert level == WRONG and text.startswith("the server runs, and does not answer at 127.0.0.1, port 8123 -> restart")


def test_port_that_cannot_be_had_and_one_that_is_free_are_told(computer, found):
    assert found(checkup.port)[0][1].endswith("no server runs -> pb-link serve --config pb_link.toml")
    computer.unbound = "Permission denied"
    text = "port 80 of 0.0.0.0 cannot be had: Permission denied -> give another port or host"
    assert found(checkup.port, port=80) == [(WRONG, text)]


@pytest.mark.parametrize(
    "host, network, listens, level, text",
    [
        ("127.0.0.1", ADDRESS, True, WRONG, "listens on 127.0.0.1 only: no board reaches it"),
        ("0.0.0.0", None, False, WRONG, "this computer is in no network"),
        ("0.0.0.0", ADDRESS, False, WRONG, "the server does not answer at 192.0.2.7:8123 -> see the firewall"),
        ("0.0.0.0", ADDRESS, True, GOOD, "the server answers at 192.0.2.7:8123"),
        ("[::]", ADDRESS, True, GOOD, "the server answers at 192.0.2.7:8123"),
    ],
)
def test_running_server_that_boards_do_not_reach_is_told(
    computer, found, monkeypatch, host, network, listens, level, text
):
    monkeypatch.setattr(checkup, "ask", lambda path, request, limit_s: iter([{"clients": []}]))
    computer.network = network
    computer.listens = {("127.0.0.1", 8123), (ADDRESS if listens else "", 8123)}
    seen = found(checkup.port, host=host)
    assert seen[0] == (GOOD, "the server listens on port 8123 -> ") and seen[1][0] == level and text in seen[1][1]


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "Permission denied"), TimeoutError("timed out")])
def test_server_that_cannot_be_asked_is_not_taken_for_another_program(computer, found, monkeypatch, error):
    def ask(path, request, limit_s):
        raise error

    monkeypatch.setattr(checkup, "ask", ask)
    computer.listens.add(("127.0.0.1", 8123))
    text = f"port 8123 is in use; the admin socket cannot be asked: {error} -> run as the server's user"
    assert found(checkup.port) == [(NOTE, text)]


@pytest.mark.skipif(not local_socket.HAS_UNIX, reason="sockets with a path are of POSIX")
def test_socket_that_a_killed_server_has_left_is_no_server(computer, found):
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as left:
        left.bind("pb_link.sock")
    computer.listens.add(("127.0.0.1", 8123))
    assert levels(found(checkup.port)) == [WRONG]


FILTER = "table inet filter { chain input { policy drop; tcp dport 22 accept } }"


@pytest.mark.parametrize(
    "platform, programs, files, root, level, text",
    [
        ("win32", {}, {}, False, NOTE, "protocol=TCP localport=8123"),
        ("darwin", {}, {}, False, NOTE, "System Settings"),
        ("linux", {}, {"/etc/ufw/ufw.conf": "ENABLED=yes\n"}, False, NOTE, "sudo ufw allow 8123/tcp"),
        ("linux", {"firewall-cmd": "running\n"}, {}, False, NOTE, "--add-port=8123/tcp"),
        ("linux", {"nft": FILTER}, {}, False, NOTE, "sudo nft list ruleset | grep 8123"),
        ("linux", {"nft": FILTER}, {}, True, NOTE, "none names port 8123"),
        ("linux", {"nft": FILTER.replace("22", "8123")}, {}, True, GOOD, "in the way"),
        ("linux", {"firewall-cmd": "not running\n", "nft": ""}, {}, True, GOOD, "in the way"),
        ("linux", {}, {}, False, GOOD, "none was found"),
    ],
)
def test_firewall_that_is_there_is_told_with_what_to_allow(
    computer, found, platform, programs, files, root, level, text
):
    computer.platform, computer.programs, computer.files, computer.root = platform, programs, files, root
    ((seen, words),) = found(checkup.firewall)
    assert seen == level and text in words


@pytest.mark.parametrize(
    "time, said, level",
    [
        (1_000_000_000, None, WRONG),
        (1_800_000_000, "NTPSynchronized=no\n", NOTE),
        (1_800_000_000, "NTPSynchronized=yes\n", GOOD),
        (1_800_000_000, None, GOOD),
    ],
)
def test_clock_that_is_wrong_or_goes_its_own_way_is_told(computer, found, time, said, level):
    computer.time = time
    computer.programs = {} if said is None else {"timedatectl": said}
    assert levels(found(checkup.clock)) == [level]


def test_boards_are_listed_and_one_that_may_not_be_opened_is_told(computer, found):
    assert found(checkup.serial_ports) == [(GOOD, "/dev/ttyACM0 Pyboard -> ")]
    computer.ports = [SerialPort("/dev/ttyUSB0", "", "uucp", False)]
    assert found(checkup.serial_ports) == [
        (WRONG, "/dev/ttyUSB0 may not be opened by you -> sudo usermod -aG uucp $USER, then log out and in")
    ]
    computer.ports = []
    assert levels(found(checkup.serial_ports)) == [NOTE]


def test_store_that_is_absent_or_whole_is_told(found):
    assert levels(found(checkup.store)) == [NOTE]
    store = SQLiteStore("pb_link.db")
    assert levels(found(checkup.store)) == [GOOD]  # while the server has it
    store.close()
    assert "is whole, format" in found(checkup.store)[0][1]


def test_store_that_is_looked_at_gets_no_files_beside_it(found):
    SQLiteStore("pb_link.db").close()
    for end in ("-wal", "-shm"):
        Path("pb_link.db" + end).unlink(missing_ok=True)
    before = sorted(os.listdir())
    assert levels(found(checkup.store)) == [GOOD] and sorted(os.listdir()) == before


def test_empty_file_in_the_place_of_the_store_is_what_a_server_takes(found):
    Path("pb_link.db").touch()
    ((level, text),) = found(checkup.store)
    assert level == NOTE and text.endswith("pb_link.db is empty -> the server makes its tables in it")
    SQLiteStore("pb_link.db").close()
    assert levels(found(checkup.store)) == [GOOD]


def pragma(text):
    with contextlib.closing(sqlite3.connect("pb_link.db")) as database:
        database.execute(f"PRAGMA {text}")
        database.commit()


@pytest.mark.parametrize(
    "damage, text",
    [
        (lambda: pragma(f"user_version = {SCHEMA_VERSION + 1}"), "is of a newer pb_link"),
        (lambda: pragma("application_id = 7"), "is no store of pb_link"),
        (lambda: Path("pb_link.db").write_bytes(b"no database, but longer than its header" * 30), "not a database"),
    ],
)
def test_store_that_cannot_be_used_is_told(found, damage, text):
    SQLiteStore("pb_link.db").close()
    damage()
    ((level, words),) = found(checkup.store)
    assert level == WRONG and text in words


def test_damage_inside_the_store_is_found(found):
    SQLiteStore("pb_link.db").close()
    with open("pb_link.db", "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        for page in range(1, size // 4096):
            file.seek(4096 * page)
            file.write(b"\xff" * 64)
    ((level, words),) = found(checkup.store)
    assert level == WRONG and ("damaged" in words or "malformed" in words)


def test_store_of_another_user_and_a_full_disk_are_told(computer, found):
    SQLiteStore("pb_link.db").close()
    computer.root = computer.owner = False
    assert (WRONG, "pb_link.db belongs to another user -> run as the server's user") in [
        (level, text.replace(os.getcwd() + os.sep, "")) for level, text in found(checkup.store)
    ]
    computer.owner = True
    for free, level in ((100 << 20, NOTE), (10 << 20, WRONG)):
        computer.free = free
        assert found(checkup.store)[0][0] == level and "MiB are free" in found(checkup.store)[0][1]


def test_files_of_root_in_the_folder_of_another_user_are_told_with_the_command_that_mends_it(computer, found):
    SQLiteStore("pb_link.db").close()
    here = os.getcwd()
    assert found(checkup.owners) == []
    computer.owners = {here: "link", f"{here}/keys.json": "link", f"{here}/pb_link.db": "link"}
    files = [os.path.join(here, name) for name in ("keys.json.lock", "pb_link.db-lock")]
    assert found(checkup.owners) == [
        (WRONG, f"{file} belongs to root, and its folder to link: a server of link cannot use it -> chown link {file}")
        for file in files
    ]
    computer.owners = dict.fromkeys(files, "link")  # in a folder of root
    assert found(checkup.owners) == []


def test_folder_of_the_store_that_is_absent_or_closed_is_told(computer, found, monkeypatch):
    assert "there is no folder" in found(checkup.store, store="gone/pb_link.db")[0][1]
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert (WRONG, f"you may not write in {os.getcwd()} -> run as the server's user, or let it write there") in found(
        checkup.store
    )


def test_database_that_does_not_answer_is_told(found):
    ((level, _),) = found(checkup.store, store="postgresql://pb_link@127.0.0.1:1/links")
    assert level == WRONG


def test_database_that_answers_is_only_read(found):
    url = made()
    ((level, text),) = found(checkup.store, store=url)
    assert level == GOOD and text.startswith(f"the database answers, format {postgres_schema.VERSION};")
    assert done(url, "SELECT count(*) FROM pb_link.node") == [(0,)]  # it has not joined


def test_paths_that_cannot_be_are_told(found):
    assert found(checkup.files) == []
    with open("pb_link.toml", "a", encoding="utf-8") as file:
        file.write(f'admin_socket = "{"x" * 120}"\nlog_file = "gone/log.txt"\n')
    assert levels(found(checkup.files)) == [WRONG, WRONG]
