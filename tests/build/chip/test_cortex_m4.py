"""build/chip/cortex_m4.py: what the emulated processor counts is what it does. Needs packages that `make bench-chip`
installs; elsewhere than in CI they are not installed for a test."""

import shutil

import pytest

from build.chip import cortex_m4
from build.tools import debian
from build.tools.shell import MissingTool

PROGRAM = """
import border, micropython

@micropython.asm_thumb
def burn(r0):
    label(AGAIN)
    sub(r0, 1)
    bne(AGAIN)

def counted(rounds):
    border.count()
    burn(rounds)
    return border.count()

def much():
    burn(1000000)

def outside():
    border.count()
    border.outside(much)
    return border.count()

def steps():
    class Burning:
        def send(self, rounds):
            burn(rounds)
    burning = border.held(Burning())
    border.steps()
    burning.send(1000)
    burning.send(5000)
    return border.steps()

print(*[counted(rounds) for rounds in (1, 1, 2, 1001, 100001, 1000001)])
print(outside())
print(*steps())
print(*steps())
"""

WORLDS = """
import border, gc

class Shared:
    kept = made = None

def outside():
    Shared.kept.append(7)  # it has room
    Shared.made = [bytearray(1000) for _ in range(50)]
    Shared.kept = [Shared.kept]  # the device's own reference is gone

Shared.kept = [1, 2, 3]
before = 0
gc.collect()
before = gc.mem_alloc()
border.outside(outside)
print(gc.mem_alloc() - before)
border.allocated()
border.collections()
for i in range(300):
    bytearray(1000)
print(border.allocated() // 300, border.collections()[0])
gc.collect()
print(Shared.kept, len(Shared.made[49]))
"""


@pytest.fixture(scope="session")
def firmware(missing_tool):
    for name in ("arm-none-eabi-gcc", "qemu-system-arm"):
        if not (debian.in_ci() or shutil.which(name)):
            pytest.skip(f"needs {name}, which `make bench-chip` installs")
    try:
        cortex_m4.emulator()
        return cortex_m4.firmware()
    except MissingTool as error:
        missing_tool(str(error))


def test_instructions_are_counted_exactly(firmware, tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    board = cortex_m4.Board(firmware, tmp_path)
    counts, outside, steps, again = ([int(word) for word in line.split()] for line in board.run("program"))
    counts.pop(0)  # later ones find their names faster
    assert [count - counts[0] for count in counts] == [2 * rounds for rounds in (0, 1, 1000, 100000, 1000000)]
    assert outside[0] < 1000  # not the two millions
    total, longest = steps
    assert 5000 * 2 < longest < 5000 * 2 + 3000 and total - longest - 1000 * 2 < 3000
    assert steps == again


def test_environment_has_a_heap_of_its_own_and_keeps_what_it_holds_of_the_device(firmware, tmp_path):
    (tmp_path / "program.py").write_text(WORLDS)
    taken, allocated, kept = cortex_m4.Board(firmware, tmp_path).run("program")
    assert taken == "0"
    per_round, collections = map(int, allocated.split())
    assert 1000 < per_round < 1200  # 300 KB, with 100 KB of heap
    assert 2 < collections < 10
    assert kept == "[[1, 2, 3, 7]] 1000"


def test_program_gets_its_arguments_and_the_heap_that_it_is_given(firmware, tmp_path):
    (tmp_path / "program.py").write_text("import gc, sys\nprint(sys.argv)\nprint(gc.mem_free() + gc.mem_alloc())\n")
    arguments, heap = cortex_m4.Board(firmware, tmp_path).run("program", "up", 7)
    assert arguments == "['program', 'up', '7']"
    assert 0.95 < int(heap) / cortex_m4.HEAP < 1


def test_program_that_raises_is_an_error_with_its_traceback(firmware, tmp_path):
    (tmp_path / "program.py").write_text("print('so far')\nraise ValueError('no good')\n")
    with pytest.raises(RuntimeError, match=r"status 1: so far\n(.*\n)*ValueError: no good"):
        cortex_m4.Board(firmware, tmp_path).run("program")


def test_module_that_is_not_there_is_an_error(firmware, tmp_path):
    with pytest.raises(RuntimeError, match="no module named 'nothing'"):
        cortex_m4.Board(firmware, tmp_path).run("nothing")


@pytest.mark.parametrize("word", ["a,b", "a b"])
def test_word_that_the_emulator_would_split_is_refused(monkeypatch, tmp_path, word):
    monkeypatch.setattr(cortex_m4, "emulator", lambda: "/bin/false")
    with pytest.raises(ValueError, match="no comma and no space"):
        cortex_m4.Board("firmware", tmp_path).run("program", word)


def test_compiler_without_headers_asks_for_them(monkeypatch):
    asked = []
    monkeypatch.setattr(cortex_m4.debian, "program", lambda name, package, what_for: "/bin/false")
    monkeypatch.setattr(cortex_m4.debian, "install", lambda packages, what_for: asked.extend(packages))
    with pytest.raises(MissingTool, match="libnewlib-arm-none-eabi"):
        cortex_m4.compiler()
    assert asked == ["libnewlib-arm-none-eabi"]
