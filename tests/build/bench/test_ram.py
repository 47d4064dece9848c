"""build/bench/ram.py: every module of an import is in the list, once and behind what it needs, and the parts add up."""

import pytest

from build.bench import boards, ram
from build.tools import micropython


@pytest.fixture(scope="module")
def compiled(tmp_path_factory, mpy_cross):
    folder = tmp_path_factory.mktemp("mpy")
    boards.compiled(folder)
    return folder


def test_modules_are_those_that_the_device_loads_and_in_the_order_in_which_it_can():
    modules = ram.needed(ram.CLIENT)
    assert "pb_link.link" in modules and list(modules)[-1] == ram.CLIENT
    assert "primitives" in modules  # a folder is a module too
    assert "primitives.waiting" not in modules  # for CPython
    assert "pb_link.settings" not in modules  # only the start needs it
    seen = set()
    for name, others in modules.items():
        assert others <= seen
        seen.add(name)


@pytest.mark.parametrize("start", [ram.CLIENT, ram.BRIDGE])
def test_parts_add_up_to_the_sum_and_the_largest_comes_first(compiled, micropython32, start):
    *figures, whole = ram.of_modules(micropython32, compiled, "it", start)
    sizes = [figure.value for figure in figures]
    assert sizes == sorted(sizes, reverse=True) and min(sizes) > 0
    assert whole.value == sum(sizes) and len(sizes) == len(ram.needed(start))
    last = next(figure for figure in figures if figure.name == f"it: {start}")
    assert f"with what it imports {whole.value:,}" in last.unit


def test_module_that_loads_another_unseen_is_an_error(compiled, micropython32, monkeypatch):
    monkeypatch.setattr(ram, "needed", lambda start: {"protocol": set(), "protocol.sender": {"protocol"}})
    with pytest.raises(RuntimeError, match="protocol.sender has loaded another module than itself"):
        list(ram.of_modules(micropython32, compiled, "it", "protocol.sender"))


def test_source_that_cannot_be_imported_is_no_lack_of_memory(micropython32, monkeypatch):
    monkeypatch.setattr(ram, "_FREE", "import no_such_module")
    with pytest.raises(RuntimeError, match="no_such_module"):
        ram.from_source(micropython32)


def test_frozen_client_takes_less_than_a_third(compiled, micropython32, tmp_path):
    """And it is the frozen one that is measured: nothing else is there."""
    frozen = [figure.value for figure in boards.client_ram(micropython.client(), tmp_path, "frozen", ram._FROZEN)]
    files = [figure.value for figure in boards.client_ram(micropython32, compiled, "compiled")]
    assert frozen[0] < files[0] / 3 and frozen[1] < files[1] and frozen[2] < files[2]


def test_channels_take_what_is_loaded_and_each_its_own(compiled, micropython32):
    two, another = [figure.value for figure in boards.channels_ram(micropython32, compiled, "compiled")]
    assert 100 < another < 1000 and two > 10 * another
