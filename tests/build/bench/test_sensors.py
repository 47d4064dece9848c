"""build/bench/sensors.py: what the records of sensor types take on a board."""

import pytest

from build.bench import sensors
from build.bench.bars import BARS
from build.tools.shell import BuildError


@pytest.fixture(scope="module")
def figures(missing_tool):
    try:
        return {figure.name: figure.value for figure in sensors.measure()}
    except BuildError as error:
        missing_tool(str(error))


def test_16_types_take_no_more_than_6_kb_installed_and_next_to_nothing_in_romfs(figures):
    """The goal; the bars are nearer to what is measured."""
    assert figures["sensors RAM, table of 16 types, installed"] <= 6 * 1024
    assert figures["sensors RAM, table of 16 types, ROMFS"] <= 200


@pytest.mark.parametrize("kind", ("", ", with pins", ", after a recovery"))
def test_a_bus_of_8_devices_takes_no_more_than_24_kb(kind, figures):
    assert figures[f"sensors RAM, bus with 8 devices of 4 types{kind}, installed"] <= 24 * 1024


def test_the_bars_are_kept(figures):
    for name, value in figures.items():
        if name in BARS:
            assert value <= BARS[name][1]
