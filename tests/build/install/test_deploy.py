"""build/deploy.py with the real mpremote, onto a real MicroPython behind a pseudo-terminal."""

import io
import json
import subprocess

import pytest

from build.install import client_package, deploy
from pb_link.settings import Settings, read, read_or_create
from server.service import cli, client_settings
from server.service.key_file import KeyFile
from tests.build.install.forked_mpremote import ForkedMpremote
from tests.build.install.test_client_package import board


@pytest.fixture(scope="module")
def forked_mpremote():
    mpremote = ForkedMpremote()
    yield mpremote
    mpremote.close()


@pytest.fixture
def port(port_of_the_command, forked_mpremote, monkeypatch):
    """The same board, and mpremote without the time that each start of Python takes."""
    monkeypatch.setattr(deploy, "subprocess", forked_mpremote)
    return port_of_the_command


@pytest.fixture
def port_of_the_command(micropython64, tmp_path, monkeypatch, missing_tool):
    """The port of a board whose file system is a folder; the computer's working folder is another."""
    try:
        import mpremote  # noqa: F401
    except ImportError:
        missing_tool("mpremote is not installed: make tools")
    monkeypatch.setattr(deploy, "OLDEST", (1, 25))
    (tmp_path / "board").mkdir()
    (tmp_path / "computer").mkdir()
    monkeypatch.chdir(tmp_path / "computer")
    monkeypatch.setattr(deploy.getpass, "getpass", lambda prompt: "a password")
    with board(micropython64, tmp_path / "board") as port:
        yield port


def with_target(folder):
    (folder / "lib").mkdir()
    (folder / "lib" / "machine.py").write_text("class I2CTarget: pass\n")


def test_client_settings_and_demo_are_on_the_board(port_of_the_command, tmp_path, capsys):
    port = port_of_the_command
    with_target(tmp_path / "board")
    assert deploy.main(["--port", port, "--ssid", "net", "--server", "192.0.2.7"]) == 0, capsys.readouterr()
    there = tmp_path / "board"
    assert (there / "lib/pb_link/link.mpy").is_file() and (there / "main.py").read_text() == deploy.MAIN
    settings = json.loads((there / "pb_settings.json").read_text())
    assert settings == json.loads((tmp_path / "computer/pb_settings.json").read_text())
    assert Settings(read(str(there / "pb_settings.json"))).server == settings["server"] == "192.0.2.7"
    assert settings["password"] == "a password"
    assert "a password" not in "".join(capsys.readouterr())
    # Again, as an upgrade: what is the user's stays.
    (there / "pb_settings.json").write_text("{}")
    (there / "main.py").write_text("# mine\n")
    (there / "lib/pb_link/link.mpy").write_text("old")
    assert deploy.main(["--port", port]) == 0
    assert (there / "pb_settings.json").read_text() == "{}" and (there / "main.py").read_text() == "# mine\n"
    assert (there / "lib/pb_link/link.mpy").read_bytes() != b"old"


def test_other_form_of_a_module_does_not_take_the_place_of_the_new_one(port, tmp_path):
    """MicroPython imports link.py, however old, before link.mpy; what is the user's own stays."""
    with_target(tmp_path / "board")
    lib = tmp_path / "board" / "lib"
    assert deploy.main(["--port", port, "--source", "--ssid", "net", "--server", "192.0.2.7"]) == 0
    assert (lib / "pb_link/link.py").is_file()
    (lib / "pb_link/mine.py").touch()
    (lib / "other.py").touch()
    assert deploy.main(["--port", port]) == 0
    assert (lib / "pb_link/link.mpy").is_file() and not (lib / "pb_link/link.py").exists()
    assert (lib / "pb_link/mine.py").exists() and (lib / "other.py").exists()
    assert deploy.main(["--port", port, "--source"]) == 0
    assert (lib / "pb_link/link.py").is_file() and not (lib / "pb_link/link.mpy").exists()


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["primitives/timeout.py", "primitives/timeout.mpy", "protocol/lines.py"])
def test_file_of_somebody_else_is_named_and_nothing_is_done(port, tmp_path, capsys, name):
    with_target(tmp_path / "board")
    foreign = tmp_path / "board/lib" / name
    foreign.parent.mkdir()
    foreign.write_text("# somebody else's\n")
    before = contents(tmp_path / "board")
    words = ["--port", port, "--ssid", "", "--server", "192.0.2.7"]
    assert deploy.main(words) == 1
    assert f"has not installed: lib/{name}. If they are of an earlier pb_link" in capsys.readouterr().err
    assert contents(tmp_path / "board") == before and contents(tmp_path / "computer") == {}
    assert deploy.main([*words, "--replace"]) == 0
    assert not foreign.exists() or foreign.read_bytes() != before[foreign.relative_to(tmp_path / "board")]
    assert deploy.main(["--port", port, "--source"]) == 0 and deploy.main(["--port", port]) == 0  # it is ours now


def test_other_packages_files_in_a_folder_of_ours_stay_as_they_are(port, tmp_path):
    with_target(tmp_path / "board")
    theirs = tmp_path / "board/lib/primitives"
    theirs.mkdir()
    for name in ("__init__.py", "delay_ms.py", "queue.mpy"):
        (theirs / name).write_text(f"# {name} of micropython-async\n")
    before = contents(theirs)
    words = ["--port", port, "--ssid", "", "--server", "192.0.2.7"]
    for more in ([], ["--source", "--replace"], ["--replace"]):
        assert deploy.main(words + more) == 0
        words = ["--port", port]
    assert before.items() <= contents(theirs).items() and (theirs / "timeout.mpy").exists()


def test_module_that_a_user_has_put_there_since_is_not_removed(port, tmp_path, capsys):
    """The other form of the client's files is not this program's any more once it has removed it."""
    with_target(tmp_path / "board")
    assert deploy.main(["--port", port, "--source", "--ssid", "", "--server", "192.0.2.7"]) == 0
    assert deploy.main(["--port", port]) == 0
    mine = tmp_path / "board/lib/primitives/timeout.py"
    mine.write_text("# mine\n")
    assert deploy.main(["--port", port]) == 1 and "lib/primitives/timeout.py" in capsys.readouterr().err
    assert mine.read_text() == "# mine\n"


def test_installation_of_the_same_release_by_other_means_is_taken_over(port, tmp_path):
    with_target(tmp_path / "board")
    client_package.tree(tmp_path / "board/lib", compiled=False)
    assert deploy.main(["--port", port, "--ssid", "", "--server", "192.0.2.7"]) == 0
    assert not (tmp_path / "board/lib/pb_link/link.py").exists()


def test_copying_that_was_cut_off_is_begun_again(port, tmp_path, monkeypatch):
    with_target(tmp_path / "board")
    words = ["--port", port, "--ssid", "", "--server", "192.0.2.7"]
    monkeypatch.setattr(deploy, "REMOVE", "raise OSError('unplugged')  # %r")
    assert deploy.main(words) == 1
    (tmp_path / "board/lib/pb_link/link.mpy").write_text("half")
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path / "computer")
    monkeypatch.setattr(deploy, "OLDEST", (1, 25))
    assert deploy.main(["--port", port]) == 0
    assert (tmp_path / "board/lib/pb_link/link.mpy").read_bytes() != b"half"


EMOJI = "Kim's caf\u00e9 \U0001f4f1"
READ = "from pb_link.settings import *; s = read(); t = Settings(s); print(t.ssid.encode(), t.password.encode())"


@pytest.mark.parametrize("locale", ["C.UTF-8", "C"])
def test_network_and_password_of_any_character_are_read_on_the_board_as_they_were_given(
    port_of_the_command, tmp_path, monkeypatch, micropython64, locale
):
    port = port_of_the_command
    with_target(tmp_path / "board")
    (tmp_path / "board" / "caf\u00e9").touch()  # os.listdir is printed and parsed
    monkeypatch.setenv("LC_ALL", locale)
    monkeypatch.setattr(deploy.getpass, "getpass", lambda prompt: EMOJI + "\"'\\")
    assert deploy.main(["--port", port, "--ssid", EMOJI, "--server", "192.0.2.7"]) == 0
    found = json.loads((tmp_path / "board/pb_settings.json").read_text(encoding="utf-8"))
    assert (found["ssid"], found["password"]) == (EMOJI, EMOJI + "\"'\\") and EMOJI == read_or_create()[0]["ssid"]
    for text in (None, json.dumps(found)):  # as another program may write it: with escaped pairs
        if text:
            (tmp_path / "board/pb_settings.json").write_text(text)
        command = [micropython64, "-c", "import sys; sys.path.append('lib'); " + READ]
        done = subprocess.run(command, cwd=tmp_path / "board", capture_output=True, text=True, check=True)
        assert done.stdout == f"{EMOJI.encode()} {found['password'].encode()}\n"


def test_network_that_is_no_text_is_an_error_before_anything_is_made(port, tmp_path, capsys):
    with_target(tmp_path / "board")
    assert deploy.main(["--port", port, "--ssid", "caf\udce9", "--server", "192.0.2.7"]) == 1
    assert "ssid: the text cannot be encoded as UTF-8" in capsys.readouterr().err
    assert not (tmp_path / "board/pb_settings.json").exists() and not (tmp_path / "board/main.py").exists()


def test_settings_that_the_server_made_are_completed(port, tmp_path, capsys):
    """The server's demo, started first, makes a file with a key, and with its own address as seen from itself."""
    with_target(tmp_path / "board")
    made, _ = read_or_create()
    assert deploy.main(["--port", port, "--ssid", "net", "--server", "192.0.2.7"]) == 0
    settings = json.loads((tmp_path / "board/pb_settings.json").read_text())
    assert settings == {**made, "server": "192.0.2.7", "ssid": "net", "password": "a password"}
    assert settings == json.loads((tmp_path / "computer/pb_settings.json").read_text())
    assert (tmp_path / "computer/pb_settings.json").stat().st_mode & 0o777 == 0o600


def test_complete_settings_are_taken_as_they_are(port, tmp_path):
    with_target(tmp_path / "board")
    file = tmp_path / "computer/pb_settings.json"
    file.write_text(json.dumps({"server": "192.0.2.8", "ssid": "", "key": "00" * 32}))
    before = file.read_text()
    assert deploy.main(["--port", port]) == 0
    assert (tmp_path / "board/pb_settings.json").read_text() == before == file.read_text()


def test_settings_that_cannot_be_read_are_an_error(port, tmp_path, capsys):
    with_target(tmp_path / "board")
    (tmp_path / "computer/pb_settings.json").write_text("{")
    assert deploy.main(["--port", port]) == 1
    assert "pb_settings.json is not valid JSON in UTF-8: see line 1. Nothing was changed" in capsys.readouterr().err


def test_settings_on_the_board_are_not_thought_to_be_changed(port, tmp_path, capsys):
    with_target(tmp_path / "board")
    (tmp_path / "board/pb_settings.json").write_text("{}")
    assert deploy.main(["--port", port, "--server", "192.0.2.9"]) == 1
    assert "has a pb_settings.json" in capsys.readouterr().err and not (tmp_path / "board/main.py").exists()
    assert deploy.main(["--port", port]) == 0
    assert "The server needs that key" in capsys.readouterr().out  # none is on this computer


def test_question_without_anybody_to_answer_is_an_error(port, tmp_path, capsys, monkeypatch):
    with_target(tmp_path / "board")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert deploy.main(["--port", port, "--server", "192.0.2.7"]) == 1
    assert "--ssid" in capsys.readouterr().err


def test_any_name_of_a_file_on_the_board_will_do(port, tmp_path):
    with_target(tmp_path / "board")
    for name in ("it's", 'a "name"', "\u00e9"):
        (tmp_path / "board" / name).touch()
    assert deploy.main(["--port", port, "--ssid", "", "--server", "192.0.2.7"]) == 0


def test_board_that_cannot_be_a_client_is_refused(port, capsys, tmp_path):
    assert deploy.main(["--port", port]) == 1
    assert "without machine.I2CTarget" in capsys.readouterr().err
    assert list((tmp_path / "computer").iterdir()) == []


def test_copying_that_fails_is_told_from_a_board_that_is_not_there(port, tmp_path, capsys):
    with_target(tmp_path / "board")
    (tmp_path / "board/lib/pb_link").write_text("in the way of a folder")
    assert deploy.main(["--port", port, "--ssid", "", "--server", "192.0.2.7"]) == 1
    assert "Copying to the board" in capsys.readouterr().err


def test_port_without_a_board_is_named(port_of_the_command, capsys):
    assert deploy.main(["--port", "/dev/gone"]) == 1
    assert "The board on /dev/gone cannot be reached" in capsys.readouterr().err


@pytest.fixture
def app(port, tmp_path):
    """A program on the computer, and the words that deploy it to a board that can be a client."""
    with_target(tmp_path / "board")
    program = tmp_path / "computer" / "client.py"
    program.write_text("print('mine')\n")
    return program, ["--port", port, "--app", str(program), "--server", "192.0.2.7", "--ssid", ""]


def test_own_program_is_put_there_with_a_main_that_restarts_it(app, tmp_path, capsys):
    program, words = app
    there = tmp_path / "board"
    assert deploy.main(words) == 0, capsys.readouterr()
    assert (there / "client.py").read_text() == "print('mine')\n"
    assert (there / "main.py").read_text() == deploy.MAIN_OF_APP % "client.py"
    words = words[:4]
    program.write_text("print('newer')\n")
    assert deploy.main(words) == 0 and (there / "client.py").read_text() == "print('newer')\n"
    assert deploy.main(words[:2]) == 0  # an upgrade of the client leaves the program, and knows it afterwards
    program.write_text("print('newest')\n")
    assert deploy.main(words) == 0 and (there / "client.py").read_text() == "print('newest')\n"
    assert [path.name for path in there.glob("*.new")] == []
    (there / "main.py").write_text("# mine\n")
    assert deploy.main(words) == 1 and "a main.py of yours" in capsys.readouterr().err
    assert deploy.main([*words, "--replace"]) == 0 and "autostart" in (there / "main.py").read_text()


def test_own_program_takes_the_place_of_the_demo(app, tmp_path):
    program, words = app
    assert deploy.main([*words[:2], *words[4:]]) == 0 and (tmp_path / "board/main.py").read_text() == deploy.MAIN
    assert deploy.main(words[:4]) == 0 and "autostart" in (tmp_path / "board/main.py").read_text()


def test_program_on_the_board_that_is_not_as_it_was_installed_is_named_and_nothing_is_done(app, tmp_path, capsys):
    program, words = app
    there = tmp_path / "board" / "client.py"
    there.write_text("# of somebody else\n")
    assert deploy.main(words) == 1 and "has a client.py that this program has not installed" in capsys.readouterr().err
    assert not (tmp_path / "board/main.py").exists() and not (tmp_path / "computer/pb_settings.json").exists()
    assert there.read_text() == "# of somebody else\n"
    assert deploy.main([*words, "--replace"]) == 0 and there.read_text() == program.read_text()
    there.write_text("# changed on the board\n")
    assert deploy.main(words[:4]) == 1 and "or that was changed there" in capsys.readouterr().err
    there.write_text(program.read_text())
    assert deploy.main(words[:4]) == 0  # the same text


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("gone.py", None, "there is no file"),
        ("main.py", "", "cannot be the program's name"),
        ("asyncio.py", "", "cannot be the program's name"),
        ("pb_link.py", "", "cannot be the program's name"),
        ("a b.py", "", "cannot be the program's name"),
        ("client.txt", "", "cannot be the program's name"),
        ("client.py", "if:\n", "is no program in Python"),
    ],
)
def test_program_that_no_board_can_run_is_an_error_before_anything_is_done(app, tmp_path, capsys, name, text, said):
    program = app[0].with_name(name)
    if text is not None:
        program.write_text(text)
    assert deploy.main([*app[1], "--app", str(program)]) == 1 and said in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "board").iterdir()] == ["lib"]


def test_board_that_may_start_a_watchdog_is_not_begun(app, tmp_path, capsys):
    program, words = app
    program.write_text("# not WDT(..)\n")
    there = tmp_path / "board"
    assert deploy.main(words) == 0
    program.write_text("import machine\nmachine.WDT(timeout=8000)\n")
    assert deploy.main(words[:4]) == 0
    assert deploy.main(words[:4]) == 1
    assert "client.py on the board may start a watchdog" in (said := capsys.readouterr().err)
    assert "rm :main.py reset" in said
    (there / "main.py").unlink()  # as it says
    assert deploy.main(words[:4]) == 0 and (there / "main.py").exists()
    (there / "main.py").write_bytes(b"from machine import WDT\r\ndog = WDT()  # \xff\r\n")
    assert deploy.main([*words[:4], "--replace"]) == 1
    assert "rename('main.py', 'main_away.py')" in capsys.readouterr().err


def test_settings_that_pb_link_wrote_are_put_there_with_the_network(port, tmp_path):
    with_target(tmp_path / "board")
    assert cli.main(["keys", "add", "pump", "--settings", "pump.json"]) == 0
    key = client_settings.raw("pump.json")["key"]
    assert deploy.main(["--port", port, "--settings", "pump.json", "--ssid", "net"]) == 0
    settings = json.loads((tmp_path / "board/pb_settings.json").read_text())
    assert (settings["id"], settings["ssid"], settings["key"]) == ("pump", "net", key)
    assert settings == client_settings.raw("pump.json")
    assert KeyFile("keys.json").read() == {"pump": bytes.fromhex(key)}


def contents_here(tmp_path):
    return {path.name: path.read_bytes() for path in (tmp_path / "computer").iterdir()}


@pytest.mark.parametrize("settings", [None, {"id": "demo"}, {"key": "ab" * 32}])
def test_key_that_the_key_file_has_otherwise_is_an_error_that_changes_nothing(port, tmp_path, capsys, settings):
    """The board would be refused by the server that reads keys.json."""
    with_target(tmp_path / "board")
    KeyFile("keys.json").add("demo")
    if settings is not None:
        (tmp_path / "computer/pb_settings.json").write_text(json.dumps(settings))
    before = contents_here(tmp_path)
    assert deploy.main(["--port", port, "--ssid", "", "--server", "192.0.2.7"]) == 1
    assert "pb-link keys rotate demo --settings pb_settings.json" in capsys.readouterr().err
    assert contents_here(tmp_path) == before and [path.name for path in (tmp_path / "board").iterdir()] == ["lib"]
    assert cli.main(["keys", "rotate", "demo", "--settings", "pb_settings.json"]) == 0  # as it says
    assert deploy.main(["--port", port, "--ssid", "", "--server", "192.0.2.7"]) == 0


def test_settings_without_a_key_get_one_that_the_key_file_has_too(port, tmp_path):
    with_target(tmp_path / "board")
    (tmp_path / "computer/pb_settings.json").write_text(json.dumps({"id": "pump", "server": "192.0.2.8", "ssid": ""}))
    assert deploy.main(["--port", port]) == 0
    settings = json.loads((tmp_path / "board/pb_settings.json").read_text())
    assert settings["server"] == "192.0.2.8"
    assert KeyFile("keys.json").read() == {"pump": bytes.fromhex(settings["key"])}
    for name in ("keys.json", "pb_settings.json"):
        assert (tmp_path / "computer" / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("words", [["--ssid", "net", "--server", "http://x"], ["--ssid", "x" * 33]])
def test_bad_setting_is_an_error_that_leaves_nothing(port, tmp_path, words, capsys):
    with_target(tmp_path / "board")
    assert deploy.main(["--port", port, "--server", "192.0.2.7", *words]) == 1
    assert "Nothing was changed" in capsys.readouterr().err and contents_here(tmp_path) == {}


@pytest.mark.parametrize("cut", ["REMOVE", "WRITE", "PLACE"])
def test_copying_that_fails_says_what_to_do_and_works_when_that_is_done(app, tmp_path, monkeypatch, capsys, cut):
    program, words = app
    old = getattr(deploy, cut)
    monkeypatch.setattr(deploy, cut, "raise OSError('unplugged')  # " + " ".join(["%s"] * old.count("%")))
    assert deploy.main(words) == 1
    said = capsys.readouterr().err
    assert "The settings and keys here are complete and stay" in said and "give the same command again" in said
    there = tmp_path / "board"
    assert not (there / "main.py").exists() and not (there / "pb_settings.json").exists()
    before = contents_here(tmp_path)
    monkeypatch.setattr(deploy, cut, old)
    assert deploy.main(words) == 0 and contents_here(tmp_path) == before
    assert (there / "pb_settings.json").read_bytes() == before["pb_settings.json"] and (there / "main.py").exists()
