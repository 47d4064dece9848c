"""The boards that can be simulated, under the names that people use: one table.

Sources: the pin tables of MicroPython 1.25 (ports/stm32/boards/PYBV11/pins.csv, ports/rp2), the data sheets of
STM32F405, RP2040 and RP2350, and the boards' drawings.
"""

from collections import namedtuple

# kind: "pyboard", "rp2" or "esp8266", by which stand-ins and rules are chosen; platform, build, machine: what `sys`
# says on it; pins: names; analog: {pin: None, or the number that machine.ADC takes too}; leds: {pin: colour};
# other_names: {further name of a pin: pin}; spi: {number: (sck, mosi, miso)}; ram_kib: of the chip, for people.
Model = namedtuple("Model", "name title kind platform build machine pins analog leds other_names spi ram_kib has")

_PYBOARD_PINS = [f"X{n}" for n in range(1, 23) if not 13 <= n <= 16] + [f"Y{n}" for n in range(1, 13)]
_PYBOARD_LEDS = {"LED_RED": "red", "LED_GREEN": "green", "LED_YELLOW": "yellow", "LED_BLUE": "blue"}
_PYBOARD_ANALOG = [f"X{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 19, 20, 21, 22)] + ["Y11", "Y12"]
_COMMON = "Pin, I2C, SoftI2C, I2CTarget, SPI, SoftSPI, ADC, PWM, Timer, RTC, WDT"


def _pico(name, title, build, machine, ram_kib):
    return Model(
        name, title, "rp2", "rp2", build, f"{machine} (simulated)", [f"GP{n}" for n in range(30)],
        {"GP26": 0, "GP27": 1, "GP28": 2, "GP29": 3}, {"GP25": "green"}, {"LED": "GP25"},
        {0: ("GP18", "GP19", "GP16"), 1: ("GP10", "GP11", "GP8")}, ram_kib, _COMMON,
    )  # fmt: skip


MODELS = {
    model.name: model
    for model in (
        Model(
            "pyboard", "Pyboard v1.1", "pyboard", "pyboard", "PYBV11", "PYBv1.1 with STM32F405RG (simulated)",
            [*_PYBOARD_PINS, *_PYBOARD_LEDS], dict.fromkeys(_PYBOARD_ANALOG), _PYBOARD_LEDS, {"SW": "X17"},
            {1: ("X6", "X8", "X7"), 2: ("Y6", "Y8", "Y7")}, 192,
            _COMMON + "; pyb: LED, Switch, ADC, Timer, RTC, delay, millis, ..",
        ),
        _pico("pico", "Raspberry Pi Pico", "RPI_PICO", "Raspberry Pi Pico with RP2040", 264),
        _pico("pico-w", "Raspberry Pi Pico W, without its radio", "RPI_PICO_W", "Raspberry Pi Pico W with RP2040", 264),
        _pico("pico2", "Raspberry Pi Pico 2", "RPI_PICO2", "Raspberry Pi Pico2 with RP2350", 520),
        Model(
            "esp8266", "ESP8266: WeMos D1 mini, Feather HUZZAH, NodeMCU", "esp8266", "esp8266", "", "",
            [str(n) for n in (0, 1, 2, 3, 4, 5, 9, 10, 12, 13, 14, 15, 16)], {}, {}, {}, {}, 80,
            "Pin, SoftI2C, WDT; network, socket, esp",
        ),
    )
}  # fmt: skip
# Other names of the same boards.
ALIASES = {
    "rp2": "pico", "rpi_pico": "pico", "pico_w": "pico-w", "picow": "pico-w", "rpi_pico_w": "pico-w", "pico-2": "pico2",
    "rpi_pico2": "pico2", "pybv11": "pyboard", "pyboard-v1.1": "pyboard", "wemos": "esp8266", "d1-mini": "esp8266",
    "huzzah": "esp8266", "nodemcu": "esp8266",
}  # fmt: skip
CLIENTS = tuple(name for name, model in MODELS.items() if model.kind != "esp8266")  # which have machine.I2CTarget


# What machine.reset_cause() is after each, by kind of board. An rp2 knows two, and its deepsleep ends with
# machine.reset(), which its watchdog does. Sources: modmachine.c of ports/stm32 and ports/rp2 of MicroPython 1.25.
Causes = namedtuple("Causes", "power_on button watchdog reset deepsleep")
CAUSES = {"pyboard": Causes(1, 2, 3, 5, 4), "rp2": Causes(1, 1, 3, 3, 3), "esp8266": Causes(0, 6, 1, 4, None)}


def find(name):
    """Returns the Model of this name, in small or capital letters. Raises: ValueError that lists the names."""
    known = name.lower() if isinstance(name, str) else name
    model = MODELS.get(ALIASES.get(known, known))
    if model is None:
        raise ValueError(f"there is no simulated board {name!r}: {', '.join(MODELS)}; also {', '.join(ALIASES)}")
    return model


def find_client(name):
    """As `find`, for the client of the link."""
    model = find(name)
    if model.name not in CLIENTS:
        raise ValueError(f"{model.title} is no client of the link, for it has no I2CTarget: {', '.join(CLIENTS)}")
    return model


def print_models(file):
    """Prints the table."""
    for model in MODELS.values():
        others = [alias for alias, name in ALIASES.items() if name == model.name]
        print(f"{model.name:8}  {model.title}; {model.ram_kib} KiB of RAM on the chip", file=file)
        print(f"{'':8}  also called {', '.join(others)}", file=file)
        print(f"{'':8}  sys.platform {model.platform!r}; machine: {model.has}", file=file)
