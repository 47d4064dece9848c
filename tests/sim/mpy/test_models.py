"""sim/mpy/models.py: boards under the names that people use."""

import io

import pytest

from pb_link.settings import PINS
from sim.mpy import models
from sim.mpy.link_bed import wiring_of


@pytest.mark.parametrize(
    ("name", "board"),
    [("Pico", "pico"), ("rp2", "pico"), ("PYBV11", "pyboard"), ("pico_w", "pico-w"), ("wemos", "esp8266")]
)
def test_boards_have_the_names_that_people_use(name, board):
    assert models.find(name).name == board


@pytest.mark.parametrize("name", ["esp32", "", None, 3])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(ValueError, match="pyboard, pico, pico-w, pico2, esp8266; also "):
        models.find(name)
    with pytest.raises(ValueError, match="no I2CTarget: pyboard, pico"):
        models.find_client("esp8266")


def test_table_is_of_one_piece():
    assert set(models.ALIASES.values()) <= set(models.MODELS) and not set(models.ALIASES) & set(models.MODELS)
    for model in models.MODELS.values():
        of_spi = {pin for pins in model.spi.values() for pin in pins}
        assert {*model.analog, *model.leds, *model.other_names.values(), *of_spi} <= set(model.pins), model.name
    text = io.StringIO()
    models.print_models(text)
    assert all(model.title in text.getvalue() for model in models.MODELS.values())


@pytest.mark.parametrize("name", models.CLIENTS)
def test_clients_are_wired_as_their_settings_say(name):
    model = models.find(name)
    wiring = wiring_of(model)
    for wire, pin in PINS[model.platform].items():
        if wire != "i2c":
            assert wiring[wire][0] == (pin if isinstance(pin, str) else f"GP{pin}")
