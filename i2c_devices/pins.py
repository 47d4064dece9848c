"""The pins of a board's lines, and the rule that no two lines are one pin. pb_link needs it at its start only."""

from protocol import const

# scl and sda of the Pyboard's I2C ports, which are chosen by these names, or by number.
PYBOARD_PINS = {"X": ("X9", "X10"), "Y": ("Y9", "Y10")}
PYBOARD_NAMES = {1: "X", 2: "Y"}
# Where I2CTarget has pins of its own choice, which differ from board to board: a Pico's I2CTarget(0) takes GP5 and GP4.
_HIDDEN_DEFAULTS = const(("rp2", "esp32"))


def lines(port_name, arguments, named_arguments, pin_class):
    """What `TargetPort.lines` returns, of the arguments that the TargetPort was given."""
    named = [(name, named_arguments[name]) for name in ("scl", "sda") if name in named_arguments]
    if port_name in _HIDDEN_DEFAULTS and len(named) < 2:
        raise ValueError("I2CTarget: name its pins, scl and sda: on %s each board has others" % port_name)
    number = arguments[0] if arguments else named_arguments.get("id")
    if port_name == "pyboard" and number in PYBOARD_NAMES:
        try:
            pin_class(PYBOARD_PINS["X"][0])
            number = PYBOARD_NAMES[number]
        except ValueError:
            pass  # another board of stm32
    if number in PYBOARD_PINS:
        named = zip(("scl", "sda"), PYBOARD_PINS[number])
    return [(name, pin if hasattr(pin, "init") else pin_class(pin)) for name, pin in named]


def validate_pins(lines):
    """Raise ValueError that names both lines if two are one pin. lines: list of (name, Pin)."""
    for i, (name, pin) in enumerate(lines):
        for other, used in lines[:i]:
            if pin is used or repr(pin) == repr(used):  # zephyr makes a new object each time
                raise ValueError("pins: %s and %s are both %r: each line needs a pin of its own" % (other, name, pin))
