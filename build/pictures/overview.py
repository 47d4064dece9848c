"""The picture at the head of README: the parts, the wires between them, and what reaches from end to end."""

from build.pictures.svg import element, picture, text

TITLE = "The parts of pb_link and how a line travels"
DESCRIPTION = (
    "A client board with your program and pb_link is wired to an ESP8266 by gnd, scl, sda, syn, ack and rst. The "
    "ESP8266 reaches a server by Wi-Fi and TCP. One session reaches from the board to the server, past the ESP8266."
)
WIDTH, HEIGHT = 880, 312
TOP, BOTTOM = 92, 236  # of the three boxes
BOARD, BRIDGE, SERVER = (130, 190), (438, 136), (680, 180)  # x and width of each
WIRES = ("gnd", "scl", "sda", "syn", "ack", "rst")
SESSION = "one session: numbers, acknowledgements and a MAC over each frame"


def _box(palette, place, title, lines):
    x, width = place
    middle = x + width / 2
    parts = [
        element(
            "rect", x=x, y=TOP, width=width, height=BOTTOM - TOP, rx=10, fill=palette["box"], stroke=palette["edge"],
            stroke_width=1.5,
        ),
        text(middle, TOP + 27, title, size=16, fill=palette["text"], weight="bold"),
    ]  # fmt: skip
    for row, (line, colour) in enumerate(lines):
        parts.append(text(middle, TOP + 56 + 24 * row, line, fill=palette[colour]))
    return parts


def _wires(palette):
    """Draws the six wires between board and bridge, each with its name on it."""
    left, right = BOARD[0] + BOARD[1], BRIDGE[0]
    parts = []
    for row, wire in enumerate(WIRES):
        y = TOP + 22 + 20 * row
        parts.append(element("path", d=f"M{left} {y} H{right}", stroke=palette["edge"], stroke_width=2, fill="none"))
        parts.append(element("rect", x=(left + right) / 2 - 17, y=y - 9, width=34, height=18, fill=palette["ground"]))
        parts.append(text((left + right) / 2, y + 4, wire, size=12, fill=palette["dim"]))
    return parts


def _air(palette):
    """Draws the radio link between bridge and server."""
    left, right = BRIDGE[0] + BRIDGE[1] + 8, SERVER[0] - 8
    y = (TOP + BOTTOM) / 2
    step = (right - left) / 6
    waves = "".join(f" q{step / 2:.1f} {-14 if count % 2 else 14} {step:.1f} 0" for count in range(6))
    return [
        element("path", d=f"M{left} {y}{waves}", stroke=palette["accent"], stroke_width=2, fill="none"),
        text((left + right) / 2, y - 22, "Wi-Fi, TCP", size=12, fill=palette["dim"]),
    ]


def _session(palette):
    """Draws what reaches from end to end, above the boxes: it passes the bridge."""
    left, right, y = BOARD[0] + BOARD[1] / 2, SERVER[0] + SERVER[1] / 2, 52
    return [
        element(
            "path", d=f"M{left} {TOP - 8} V{y} H{right} V{TOP - 8}", stroke=palette["good"], stroke_width=2.5,
            fill="none",
        ),
        element("path", d=f"M{left - 5} {TOP - 16} l5 9 l5 -9 z", fill=palette["good"]),
        element("path", d=f"M{right - 5} {TOP - 16} l5 9 l5 -9 z", fill=palette["good"]),
        text((left + right) / 2, y - 12, SESSION, fill=palette["good"], weight="bold"),
    ]  # fmt: skip


def _sensors(palette):
    y = TOP + 72
    return [
        text(56, y - 10, "sensors,", fill=palette["dim"]),
        text(56, y + 8, "actuators", fill=palette["dim"]),
        element("path", d=f"M96 {y - 6} H{BOARD[0]}", stroke=palette["edge"], stroke_width=2, fill="none"),
    ]


def overview(palette):
    """Returns the picture in the colours of a palette."""
    board = [
        ("your program", "accent"),
        ("readline(), write(line)", "text"),
        ("pb_link, MicroPython", "dim"),
        ("no network of its own", "dim"),
    ]
    bridge = [("fixed firmware", "text"), ("esp_link", "dim"), ("holds nothing", "dim"), ("that can be lost", "dim")]
    server = [
        ("your application", "accent"),
        ("readline(), write(line)", "text"),
        ("stores, then", "dim"),
        ("acknowledges", "dim"),
    ]
    foot = BOTTOM + 28
    return picture(
        WIDTH, HEIGHT, TITLE, DESCRIPTION,
        [
            element("rect", width=WIDTH, height=HEIGHT, rx=12, fill=palette["ground"]),
            *_session(palette),
            *_sensors(palette),
            *_wires(palette),
            *_air(palette),
            *_box(palette, BOARD, "client board", board),
            *_box(palette, BRIDGE, "ESP8266", bridge),
            *_box(palette, SERVER, "server", server),
            text(BOARD[0] + BOARD[1] / 2, foot, "Pyboard, Pico, ..", size=13, fill=palette["dim"]),
            text((BOARD[0] + BOARD[1] + BRIDGE[0]) / 2, foot, "I2C, three signals", size=13, fill=palette["dim"]),
            text(BRIDGE[0] + BRIDGE[1] / 2, foot, "may crash", size=13, fill=palette["bad"]),
            text((BRIDGE[0] + BRIDGE[1] + SERVER[0]) / 2, foot, "may go away", size=13, fill=palette["bad"]),
            text(SERVER[0] + SERVER[1] / 2, foot, "may be killed at any time", size=13, fill=palette["bad"]),
            text(WIDTH / 2, foot + 30, "A line that was written arrives once, in order, or write() still waits.",
                 fill=palette["text"]),
        ],
    )  # fmt: skip
