"""The diagrams in docs/ are what the script draws, and name the pins that the code uses."""

import re
from xml.etree import ElementTree

import pytest

from build.images import diagrams
from pb_link.settings import PINS
from sim.wires.wiring import WIRING


def test_diagrams_are_what_the_script_draws():
    assert diagrams.differing() == [], "run `make firmware` and commit what it writes"


@pytest.mark.parametrize("name", diagrams.diagrams())
def test_diagram_is_well_formed_and_shown_in_the_document(name):
    ElementTree.fromstring(diagrams.diagrams()[name])
    assert f"]({name})" in (diagrams.DOCS / "hardware.md").read_text()


def test_pins_are_those_of_the_code():
    pyboard, pico = (diagrams.CLIENTS[name][1] for name in ("pyboard", "pico"))
    for wire in ("scl", "sda", "syn", "ack", "rst"):
        client, gpio, _ = WIRING[wire]
        assert pyboard[wire] == client == PINS["pyboard"][wire]
        assert pico[wire] == f"GP{PINS['rp2'][wire]}"
        assert diagrams.GPIO[wire] == (f"GPIO{gpio}" if gpio else "")


def test_gpio_numbers_are_those_of_the_bridge():
    source = (diagrams.ROOT / "esp_link" / "start.py").read_text()
    for wire, gpio in diagrams.GPIO.items():
        if gpio:
            number = re.search(rf"^_{wire.upper()} = const\((\d+)\)", source, re.MULTILINE)[1]
            assert number == gpio.removeprefix("GPIO")
