"""The wiring diagrams in docs/: SVG, drawn from the tables here. `make firmware` writes them.

    python3 -m build.images.diagrams [--check]
"""

import argparse
import sys

from build.tools.cache import ROOT
from build.tools.shell import say

DOCS = ROOT / "docs"

# Wires from top to bottom, and the output that drives each.
WIRES = {
    "gnd": ("#333333", "ground"),
    "scl": ("#c98a00", "ESP8266, open drain"),
    "sda": ("#2c7a3f", "both, open drain"),
    "syn": ("#1f5fa8", "client to ESP8266"),
    "ack": ("#7a3fa0", "ESP8266 to client"),
    "rst": ("#b3261e", "client to reset, open drain"),
}
CLIENTS = {
    "pyboard": ("Pyboard v1.x", {"gnd": "GND", "scl": "X9", "sda": "X10", "syn": "X11", "ack": "Y8", "rst": "X12"}),
    "pico": (
        "Raspberry Pi Pico",
        {"gnd": "GND", "scl": "GP1", "sda": "GP0", "syn": "GP2", "ack": "GP3", "rst": "GP4"},
    ),
}
BRIDGES = {
    "wemos": ("WeMos D1 mini", {"gnd": "G", "scl": "D3", "sda": "D4", "syn": "D1", "ack": "D2", "rst": "RST"}),
    "feather": (
        "Feather HUZZAH ESP8266",
        {"gnd": "GND", "scl": "0", "sda": "2", "syn": "5", "ack": "4", "rst": "RST"},
    ),
}
GPIO = {"gnd": "", "scl": "GPIO0", "sda": "GPIO2", "syn": "GPIO5", "ack": "GPIO4", "rst": ""}
PULLED_UP = ("scl", "sda")

WIDTH, HEIGHT = 760, 372
LEFT, RIGHT, BOX, TOP, STEP = 40, 540, 180, 84, 44
STYLE = 'font-family="Helvetica, Arial, sans-serif"'


def text(x, y, content, *, size=14, anchor="middle", fill="#222222", weight="normal"):
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" text-anchor="{anchor}" fill="{fill}" font-weight="{weight}">'
        f"{content}</text>"
    )


def board(x, title, pins, inner):
    """Draws a box with its pins on the side that faces the other board."""
    height = STEP * len(WIRES) + 24
    parts = [
        f'<rect x="{x}" y="{TOP - 30}" width="{BOX}" height="{height}" rx="8" fill="#f4f4f0" stroke="#555555"/>',
        text(x + BOX / 2, TOP - 40, title, size=16, weight="bold"),
    ]
    for row, wire in enumerate(WIRES):
        y = TOP + STEP * row
        edge, inside, anchor = (x + BOX, x + BOX - 14, "end") if inner == "right" else (x, x + 14, "start")
        parts.append(f'<circle cx="{edge}" cy="{y}" r="5" fill="#ffffff" stroke="#555555"/>')
        label = pins[wire] + (f" ({GPIO[wire]})" if inner == "left" and GPIO[wire] else "")
        parts.append(text(inside, y + 5, label, anchor=anchor))
    return parts


def resistor(x, y, colour):
    """Draws 4.7 kOhm from a wire up to 3.3 V."""
    return [
        f'<path d="M{x} {y} v-8 m0 -16 v-6" stroke="{colour}" stroke-width="2" fill="none"/>',
        f'<rect x="{x - 5}" y="{y - 24}" width="10" height="16" fill="#ffffff" stroke="{colour}" stroke-width="2"/>',
        text(x + 10, y - 20, "4.7 kOhm to 3.3 V", size=11, anchor="start", fill="#555555"),
    ]


def diagram(client, bridge):
    """Returns the SVG of two boards and their wires."""
    title, client_pins = CLIENTS[client]
    bridge_title, bridge_pins = BRIDGES[bridge]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" {STYLE}>',
        f"<title>{title} and {bridge_title}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for row, (wire, (colour, driver)) in enumerate(WIRES.items()):
        y = TOP + STEP * row
        parts.append(f'<path d="M{LEFT + BOX} {y} H{RIGHT}" stroke="{colour}" stroke-width="4"/>')
        parts.append(text(LEFT + BOX + 20, y - 7, wire, size=13, anchor="start", fill=colour, weight="bold"))
        parts.append(text(LEFT + BOX + 20, y + 16, driver, size=11, anchor="start", fill="#555555"))
        if wire in PULLED_UP:
            parts += resistor(RIGHT - 130, y, colour)
    parts += board(LEFT, title, client_pins, "right")
    parts += board(RIGHT, bridge_title, bridge_pins, "left")
    note = "Each board has its own supply; the grounds are joined. Most ESP8266 boards have the resistors."
    parts.append(text(WIDTH / 2, HEIGHT - 16, note, size=12, fill="#555555"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def diagrams():
    """Returns {name of the file in docs/: its text}."""
    return {f"wiring-{client}-{bridge}.svg": diagram(client, bridge) for client in CLIENTS for bridge in BRIDGES}


def differing(folder=DOCS):
    return [
        name
        for name, content in diagrams().items()
        if not (folder / name).is_file() or (folder / name).read_text() != content
    ]


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Draw the wiring diagrams in docs/.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file would change")
    options = parser.parse_args(arguments)
    for name in differing():
        if options.check:
            say(f"docs/{name} is not what build/images/diagrams.py draws. Run `make firmware`.")
            return 1
        (DOCS / name).write_text(diagrams()[name])
        print(f"wrote  docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
