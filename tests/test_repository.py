"""What the repository holds: nothing of one machine, build/ as source, commands that exist, modules of bounded size."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from build.wheel.contents import PACKAGES
from protocol.version import RELEASE, release_text
from tests.sample import ALL_CASES

ROOT = Path(__file__).resolve().parent.parent

MAX_MODULE_LINES = 450  # beyond it a module holds a second idea
MAX_TEST_LINES = 600

# Folders in which machines keep people's files, and addresses of package mirrors that only some can reach.
OF_ONE_MACHINE = re.compile(
    r"""(?<![\w.~}$-])/(?:home|Users|root|work|workspace|builds)/\w[\w/.-]*
    | file:///\w[\w/.-]*
    | https?://[^\s"'<>]*(?:artifact|nexus|devpi|pkg\.dev|/simple\b)[^\s"'<>]*""",
    re.VERBOSE,
)
COMMAND_BLOCK = re.compile(r"^```(?:sh|bash|console|shell)?\n(.*?)^```", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"`([^`\n]+)`")


def git(*words):
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="session")
def tracked(missing_tool):
    """Paths of the files that git tracks, relative to the root."""
    try:
        listed = git("ls-files", "-z")
    except FileNotFoundError:
        missing_tool("git is not installed")
    if listed.returncode:
        missing_tool("this is not a git checkout")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def text_of(name):
    """Returns the text of a tracked file, "" for a binary one."""
    content = (ROOT / name).read_bytes()
    return "" if b"\0" in content else content.decode("utf-8", errors="replace")


def marks_of_a_machine(text):
    """Returns what in the text only makes sense on one machine."""
    return [match.group() for match in OF_ONE_MACHINE.finditer(text)]


def test_no_file_names_a_machine(tracked):
    found = [f"{name}: {mark}" for name in tracked for mark in marks_of_a_machine(text_of(name))]
    if len(ROOT.parts) > 2:  # this checkout's own path
        found += [f"{name}: {ROOT}" for name in tracked if f"{ROOT}/" in text_of(name)]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("folder", ["home", "Users", "root", "workspace"])
def test_path_of_a_machine_is_found(folder):
    assert marks_of_a_machine(f"see /{folder}/someone/pb_link/notes.txt") == [f"/{folder}/someone/pb_link/notes.txt"]


@pytest.mark.parametrize("text", ["tests/work/x", "~/work/x", "https://example.org/home/x", "http://deb.debian.org/debian"])
def test_other_paths_are_not(text):
    assert marks_of_a_machine(text) == []


def test_mirror_of_packages_is_found():
    address = "https://mirror.example/" + "artifact" + "ory/pypi"
    assert marks_of_a_machine(f"index-url = {address}") == [address]


def test_nothing_is_installed_by_a_name_that_no_registry_has(tracked):
    wanted = re.compile(r"pip install ['\"]?pb[-_]link\b")  # './pb_link[test]' is the checkout
    assert wanted.search("pip install '" + "pb-link[test]'") and not wanted.search("pip install ./pb_link")
    assert [name for name in tracked if wanted.search(text_of(name))] == []


def test_build_is_source(tracked):
    there = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "build").rglob("*.py"))
    ignored = git("check-ignore", "--no-index", *there).stdout.split()
    assert not ignored, "an ignore file swallows build/"
    assert set(there) <= set(tracked)
    assert "build/micropython.py" in tracked


def test_what_is_made_is_ignored(tracked):
    made = [".cache/x", ".venv/x", "protocol/__pycache__/x.pyc", ".ruff_cache/x"]
    assert git("check-ignore", "--no-index", *made).stdout.split() == made
    built = [name for name in tracked if name.endswith((".pyc", ".mpy", ".bin", ".elf", ".romfs"))]
    assert not [name for name in built if not name.startswith("firmware/")]  # there, so that users need no tools


def test_modules_are_of_bounded_size(tracked):
    too_long = []
    for name in tracked:
        limit = MAX_TEST_LINES if name.startswith("tests/") else MAX_MODULE_LINES
        if name.endswith(".py") and text_of(name).count("\n") > limit:
            too_long.append(f"{name} has more than {limit} lines")
    assert not too_long, "\n" + "\n".join(too_long)


def make_targets():
    """Returns the targets that `make help` shows."""
    shown = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True)
    return set(re.findall(r"^make ([\w-]+)", shown.stdout, re.MULTILINE))


def promised_commands(text):
    """Returns the command lines in a document: those in shell blocks and those between backquotes."""
    blocks = "\n".join(COMMAND_BLOCK.findall(text)).splitlines()
    quoted = COMMAND.findall(COMMAND_BLOCK.sub("", text))
    return [re.sub(r"^\s*\$\s+", "", line).strip() for line in blocks + quoted]


def words_of(command):
    try:
        return shlex.split(command, comments=True)
    except ValueError:  # no command of a shell
        return []


def checkout_name(module):
    """Returns the checkout's name of a module that a document names as an installed wheel has it."""
    inner = module.removeprefix("pb_link.")
    return inner if inner.partition(".")[0] in PACKAGES else module


def broken_promises(text, targets, root=ROOT):
    """Returns the commands in the document that name a target, module or script which does not exist."""
    broken = []
    for command in promised_commands(text):
        words = words_of(re.sub(r"^(?:\w+=\S+\s+)+", "", command))
        if not words:
            continue
        if words[0] == "make" and len(words) > 1:
            good = all(word in targets for word in words[1:] if re.fullmatch(r"[a-z-]+", word))
        elif words[0] in ("python3", "python", "micropython") and words[1:2] == ["-m"] and len(words) > 2:
            place = root.joinpath(*checkout_name(words[2]).split("."))
            good = place.with_suffix(".py").exists() or (place / "__main__.py").exists() or words[2] in ("venv", "pip")
        elif words[0] in ("python3", "python", "micropython") and words[1:] and words[1].endswith(".py"):
            place = root / words[1].removeprefix("../pb_link/")
            good = place.exists() or "/" not in words[1]  # without a folder it is the reader's own file
        else:
            good = not words[0].startswith("./") and words[0] != ".ci/run" or (root / words[0]).exists()
        if not good:
            broken.append(command)
    return broken


def documents(tracked):
    return [name for name in tracked if re.fullmatch(r"README\.md|CONTRIBUTING\.md|docs/[\w/-]+\.md", name)]


def test_promised_commands_exist(tracked):
    targets = make_targets()
    broken = [
        f"{name}: {command}"
        for name in documents(tracked)
        for command in broken_promises(text_of(name), targets)
    ]
    assert not broken, "\n" + "\n".join(broken)


def test_broken_promises_are_found(tmp_path):
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "__main__.py").write_text("")
    text = (
        "Run `make demo` or `make nothing`, never `make` alone.\n"
        "```sh\n$ python3 -m sim demo\npython3 -m pb_link.sim\npython3 -m gone\npython3 -m pb_link.gone\n"
        "python3 my_client.py\nCI=1 python3 build/gone.py\n./gone\n```\n"
    )
    found = broken_promises(text, {"demo"}, tmp_path)
    gone = ["python3 -m gone", "python3 -m pb_link.gone"]
    assert found == [*gone, "CI=1 python3 build/gone.py", "./gone", "make nothing"]


def test_make_help_shows_the_documented_targets():
    documented = {"help", "demo", "test", "test-unit", "test-mpy", "test-process", "lint", "micropython", "clean"}
    assert documented <= make_targets()


def test_readme_is_there(tracked):
    assert {"README.md", "docs/architecture.md"} <= set(tracked)
    assert {"make demo", "make test"} <= set(promised_commands(text_of("README.md")))


def test_continuous_integration_tries_the_cases_that_make_test_leaves_out(tracked):
    """Those of files that import tests.sample, long ones, and the tests in the chips' emulators."""
    words = ["env", "-u", "MAKEFLAGS", "-u", "PYTEST_ARGS", "make", "-n", "test", "test-cases"]
    planned = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    few, every = [line.split() for line in planned.stdout.splitlines() if " -m pytest -n" in line]
    tests = [name for name in tracked if name.startswith("tests/") and name.endswith(".py")]
    sampled = {name for name in tests if re.search(r"^from tests\.sample import all_or$", text_of(name), re.MULTILINE)}
    named = {name for name in tests if re.search(r"^(from|import) .*\bsample\b", text_of(name), re.MULTILINE)}
    assert named - sampled == {"tests/test_repository.py"}, "import all_or as the Makefile expects it"
    assert sampled and sampled | {"tests/build/chip"} <= set(every) and f"{ALL_CASES}=1" in every
    left_out = [word.partition("=")[2] for word in few if word.startswith("--ignore")]
    assert "tests/build/chip" in left_out and set(left_out) <= set(every)
    assert not set(left_out) & set(few), "what is named is not left out"
    assert all((ROOT / name).exists() for name in left_out) and not any(ALL_CASES in word for word in few)
    assert left_out[1:] == [line for line in text_of("tests/long_tests.txt").splitlines() if not line.startswith("#")]
    assert {"test", "test-cases"} <= set(re.findall(r"^step ([a-z-]+)", text_of(".ci/run"), re.MULTILINE))


def test_list_of_long_tests_is_in_order():
    """Two changes that add a line each seldom meet so."""
    listed = [line for line in text_of("tests/long_tests.txt").splitlines() if not line.startswith("#")]
    assert listed == sorted(set(listed))


def test_continuous_integration_is_executable(tracked):
    assert ".ci/run" in tracked
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


KINDS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


def faults_of_changelog(text):
    """Returns what in it is not in the form of Keep a Changelog."""
    faults = []
    releases = re.findall(r"^## (.*)$", text, re.MULTILINE)
    if releases[:1] != ["[Unreleased]"]:
        faults.append("the first heading is not [Unreleased]")
    faults += [title for title in releases[1:] if not re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", title)]
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        kinds = re.findall(r"^### (.*)$", body, re.MULTILINE)
        if kinds != [kind for kind in KINDS if kind in kinds]:
            faults.append(f"{title}: {', '.join(kinds)}: not {', '.join(KINDS)}, each once, in this order")
        if re.search(r"^- ", body.partition("### ")[0], re.MULTILINE):
            faults.append(f"{title}: a line before the first kind")
        begun = re.findall(r"^- .{58}", body, re.MULTILINE)
        faults += [f"{title}: twice: {entry}" for entry in set(begun) if begun.count(entry) > 1]
        if re.search(r"^(?:- |  ).*\n\n+(?:- |  )", body, re.MULTILINE):
            faults.append(f"{title}: an empty line in a list")
    return faults


def test_changelog_has_the_form_that_it_names():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "keepachangelog.com" in text and faults_of_changelog(text) == []
    assert re.findall(r"^## \[(\d\S*)\]", text, re.MULTILINE)[0] == release_text(RELEASE)


@pytest.mark.parametrize(
    "text",
    [
        "## [0.2.0] - 2026-11-28\n",
        "## [Unreleased]\n## 0.2.0\n",
        "## [Unreleased]\n- a line\n### Added\n",
        "## [Unreleased]\n### Fixed\n### Added\n",
        "## [Unreleased]\n### Added\n### Added\n",
        "## [Unreleased]\n### New\n",
        "## [Unreleased]\n### Added\n- a line\n\n- a line\n",
        "## [Unreleased]\n### Added\n- {0} one\n- {0} two\n".format("a line that stands twice " * 3),
    ],
)
def test_other_form_of_a_changelog_is_found(text):
    assert len(faults_of_changelog(text)) == 1


# What may read the wall clock, which somebody may set: for people to read, for the age of files, and for randomness.
READERS_OF_THE_WALL_CLOCK = {
    "build/tools/cache.py", "primitives/nonces.py", "server/core/clock.py", "server/service/client_status.py",
    "server/service/consoles.py", "server/service/log.py", "server/service/machine.py",
    "server/service/sensors_command.py", "server/service/sensors_shown.py",
}  # fmt: skip
WALL_CLOCK = re.compile(r"\btime\.time\b|\btime_ns\(|\bdatetime\.(?:now|utcnow|today)\b|from time import .*\btime\b")


def test_durations_are_measured_by_a_clock_that_nobody_sets(tracked):
    sources = [name for name in tracked if name.endswith(".py") and not name.startswith(("tests/", "sim/mpy/boards/"))]
    assert {name for name in sources if WALL_CLOCK.search(text_of(name))} == READERS_OF_THE_WALL_CLOCK


@pytest.mark.parametrize("text", ["time.time()", "getattr(time, 'x', time.time)", "from time import sleep, time"])
def test_reading_of_the_wall_clock_is_found(text):
    assert WALL_CLOCK.search(text)
