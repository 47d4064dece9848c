"""A user's program and the modules beside it: run anew in each life, with imports as a board has them."""

import pytest

import protocol.limits
from sim.testing.modules import module
from sim.testing.program import BoardProgram


@pytest.fixture
def run(tmp_path):
    """Runs the program of these files, {name: text}, in so many lives. Returns what it has added to `out`."""

    def start(files, lives=1, **modules):
        for name, text in files.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text("from test_out import out\n" + text)
        program, seen = BoardProgram(tmp_path / "main.py"), []
        for _ in range(lives):
            program.run({"test_out": module("test_out", out=seen), **modules}, open=lambda name: f"opened {name}")
        return seen

    return start


def test_modules_beside_the_program_live_as_long_as_a_life(run):
    counter = "n = 0\ndef up():\n    global n\n    n += 1\n    return n"
    main = "import counter\nfrom counter import up\nup()\nout.append(counter.up())"
    assert run({"main": main, "counter": counter}, lives=2) == [2, 2]


def test_packages_and_dotted_imports_bind_what_they_bind_on_a_board(run):
    main = (
        "import drivers.lamp\nimport drivers.lamp as lamp\nimport pb_link.config\n"
        "out += [drivers.lamp.ON, lamp.ON, pb_link.config.conn_id, pb_link.__version__ > '0']"
    )
    files = {"main": main, "drivers/__init__": "", "drivers/lamp": "ON = 1"}
    config = module("pb_link.config", conn_id="demo")
    assert run(files, **{"pb_link.config": config}) == [1, 1, "demo", True]


def test_packages_of_boards_are_those_of_this_process(run):
    main = "from protocol import limits\nimport sensor_bus.errors\nout += [limits, sensor_bus.errors.__name__]"
    seen = run({"main": main})
    assert seen == [protocol.limits, "sensor_bus.errors"]


def test_open_is_the_one_of_the_board_in_all_modules(run):
    main = "import other\nout += [open('a.txt'), other.found]"
    assert run({"main": main, "other": "found = open('/b.txt')"}) == ["opened a.txt", "opened /b.txt"]


def test_parts_of_os_that_boards_lack_are_not_the_computers(run):
    with pytest.raises(ImportError, match="a board's os is no package"):
        run({"main": "import os.path"}, os=module("uos"))


def test_relative_import_is_refused_as_a_program_has_no_package(run):
    with pytest.raises(ImportError, match="no relative imports"):
        run({"main": "from . import other"})


def test_absent_program_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no client program"):
        BoardProgram(tmp_path / "gone.py")
