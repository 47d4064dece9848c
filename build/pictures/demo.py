"""The animation of the demo: a terminal that prints what a kept record says, when it says it, and above it the parts.

What the parts do is read from the same lines: a fault begins where the demo says so, and ends where its counters, after
a standstill, go on. Who asked for less motion, or whose viewer knows none, sees the last lines standing.
"""

import re
from html import escape

from build.pictures.svg import MONO, element, picture, text

TITLE = "make demo: the ESP8266 is killed, Wi-Fi and server go away, and no line is lost"
WIDTH, MARGIN = 880, 20
STRIP = 124  # height of the parts' picture
COLUMNS, ROWS = 105, 15
CHARACTER, LINE = 8, 20  # size of a cell
FONT_SIZE = 13
HEIGHT = STRIP + ROWS * LINE + 2 * MARGIN

TYPED_S = 1.5  # from the prompt to the command's first line
HOLD_S = 6.0  # the end stands for this long, then it begins again

COUNTERS = re.compile(r"client -> server (\d+)/\d+ .*server -> client (\d+)/\d+")
# What begins a fault, its part, what is said of the part, and what ends it there (None: the end of the standstill).
FAULTS = (
    (re.compile("== the ESP8266 is killed"), "ESP8266", "killed", None),
    (re.compile("== the Wi-Fi goes away"), "Wi-Fi", "away", re.compile("== the Wi-Fi is back")),
    (re.compile("== the server closes its listener"), "server", "closed", None),
)
# part: (its name, x and width of its box)
PARTS = {
    "client": ("your program", 20, 170),
    "ESP8266": ("ESP8266", 270, 160),
    "Wi-Fi": ("Wi-Fi", 510, 110),
    "server": ("server", 700, 160),
}
MIDDLE = 44  # of the parts' boxes, from the top
BOX = 44  # their height


class Story:
    """What happens when in a record. Seconds count from the prompt.

    Raises: ValueError if the record is not of a demo in which each fault begins and ends.
    """

    def __init__(self, record):
        self.command = record["command"]
        self.lines = [(seconds + TYPED_S, line) for seconds, line in record["lines"]]
        self.end = self.lines[-1][0] + HOLD_S
        self.counts = [(0.0, (0, 0))]
        for seconds, line in self.lines:
            found = COUNTERS.search(line)
            if found:
                self.counts.append((seconds, (int(found[1]), int(found[2]))))
        self.faults = {}  # part: (begin, end of the part's fault, end of the standstill)
        for begins, part, _, ends in FAULTS:
            begin = self._time_of(begins, 0)
            resumed = self._resumed(begin)
            self.faults[part] = (begin, self._time_of(ends, begin) if ends else resumed, resumed)

    def _time_of(self, pattern, after):
        for seconds, line in self.lines:
            if seconds >= after and pattern.search(line):
                return seconds
        raise ValueError(f"no line of the record has {pattern.pattern!r}: it is not that of a whole demo")

    def _resumed(self, begin):
        """Returns when the counters go on, after the standstill that follows a fault."""
        stood = False
        last = None
        for seconds, counts in self.counts:
            if seconds > begin and last is not None:
                if stood and counts != last:
                    return seconds
                stood = stood or counts == last
            last = counts
        raise ValueError(f"after the fault at {begin:.1f} s no line of the record shows that lines flow again")

    def flowing(self):
        """Returns [(seconds, True or False)]: from then on lines flow, or wait."""
        first = next(seconds for seconds, counts in self.counts if all(counts))
        changes = [(0.0, False), (first, True)]
        for begin, _, resumed in self.faults.values():
            changes += [(begin, False), (resumed, True)]
        return sorted(changes)


class Motion:
    """The style sheet: which element shows when. All begin anew together after `period` seconds."""

    def __init__(self, period):
        self._period = period
        self._rules = []

    def steps(self, points, what="opacity:{}"):
        """Returns the class of an element whose property changes at points, [(seconds, value)], the first at 0."""
        name = f"s{len(self._rules)}"
        frames = "".join(f"{100 * seconds / self._period:.3f}%{{{what.format(value)}}}" for seconds, value in points)
        self._rules.append(
            f"@keyframes {name}{{{frames}}}.{name}{{animation:{name} {self._period:.2f}s step-end infinite}}"
        )
        return name

    def flow(self, backwards):
        """Returns the class of a dashed line whose dashes move."""
        name = f"s{len(self._rules)}"
        begin, end = (0, 16) if backwards else (16, 0)
        self._rules.append(
            f"@keyframes {name}{{from{{stroke-dashoffset:{begin}}}to{{stroke-dashoffset:{end}}}}}"
            f".{name}{{animation:{name} .6s linear infinite}}"
        )
        return name

    def sheet(self):
        return "@media (prefers-reduced-motion:no-preference){" + "".join(self._rules) + "}"


def _between(intervals):
    """Returns points at which an element becomes visible and invisible again. intervals: [(begin, end)]."""
    points = {0.0: 0}
    for begin, end in intervals:
        points[begin] = 1
        points[end] = 0
    return sorted(points.items())


def _part(palette, motion, story, part):
    """Draws one part, and over it how it looks while it fails."""
    title, x, width = PARTS[part]
    middle = x + width / 2
    top = MIDDLE - BOX / 2
    box = {"x": x, "y": top, "width": width, "height": BOX, "rx": 8, "stroke_width": 1.5}
    parts = [
        element("rect", **box, fill=palette["box"], stroke=palette["edge"]),
        text(middle, MIDDLE + 5, title, fill=palette["text"]),
    ]
    for _, name, said, _ in FAULTS:
        if name == part:
            begin, end, _ = story.faults[part]
            failed = [
                element("rect", **box, fill=palette["ground"], stroke=palette["bad"]),
                text(middle, MIDDLE + 5, f"{title}: {said}", fill=palette["bad"], weight="bold"),
            ]
            parts.append(element("g", "".join(failed), opacity=0, class_=motion.steps(_between([(begin, end)]))))
    return parts


def _paths(palette, motion, story):
    """Draws the ways between the parts: still, and over that moving while lines flow."""
    places = [(x, x + width) for _, x, width in PARTS.values()]
    gaps = [(left[1], right[0]) for left, right in zip(places, places[1:])]
    still, moving = [], []
    for offset, backwards in ((-7, False), (7, True)):
        moves = motion.flow(backwards)
        for left, right in gaps:
            line = {"d": f"M{left + 4} {MIDDLE + offset} H{right - 4}", "fill": "none"}
            still.append(element("path", **line, stroke=palette["edge"], stroke_width=1.5))
            moving.append(
                element(
                    "path", **line, stroke=palette["good"], stroke_width=4, stroke_linecap="round",
                    stroke_dasharray="1 15", class_=moves,
                )
            )  # fmt: skip
    points = [(seconds, int(flows)) for seconds, flows in story.flowing()]
    return [*still, element("g", "".join(moving), class_=motion.steps(points))]


def _counts(palette, motion, story):
    """Draws how many lines have arrived at each end, below the parts."""
    parts = []
    ends = [seconds for seconds, _ in story.counts[1:]] + [story.end]
    for (begin, (up, down)), end in zip(story.counts, ends, strict=True):
        last = end == story.end
        shown = motion.steps(_between([(begin, end)]) if not last else [(0.0, 0), (begin, 1)])
        line = f"arrived at the server: {up:2}    at the client: {down:2}"
        look = {"fill": palette["dim"], "opacity": int(last), "class_": shown, "xml_space": "preserve"}
        parts.append(text(WIDTH / 2, STRIP - 26, line, **look))
    return parts


def _colour(line):
    """Returns (colour, weight) of a line of the terminal."""
    if "== " in line:
        return "accent", "bold"
    if ": crash" in line or "FAILED" in line:
        return "bad", "bold"
    if line.startswith("nothing was lost"):
        return "good", "bold"
    return ("dim", None) if COUNTERS.search(line) else ("text", None)


def _terminal(palette, motion, story):
    """Draws the lines, each from its time on, in a window that scrolls."""
    command = f"$ {story.command}"
    rows = [(0.0, "$"), *story.lines]
    parts, scrolled = [], [(0.0, 0)]
    for row, (seconds, line) in enumerate(rows):
        shown = line if len(line) <= COLUMNS else line[: COLUMNS - 2] + ".."
        y = LINE * row + FONT_SIZE
        if row:
            colour, weight = _colour(shown)
            parts.append(_row(palette, y, shown, colour, weight, motion.steps([(0.0, 0), (seconds, 1)])))
        else:
            typed = [(TYPED_S * (count + 1) / (len(command) + 1), count) for count in range(len(command))]
            for at, count in typed:
                if command[count] != " ":
                    parts.append(_cell(palette, y, count, command[count], motion.steps([(0.0, 0), (at, 1)])))
        if row >= ROWS:
            scrolled.append((seconds, LINE * (row - ROWS + 1)))
    last = scrolled[-1][1]
    moves = motion.steps(scrolled, "transform:translateY(-{}px)")
    lines = element("g", "\n".join(parts), class_=moves, transform=f"translate(0 {-last})")
    top = STRIP + MARGIN
    window = element("rect", x=0, y=STRIP, width=WIDTH, height=HEIGHT - STRIP, rx=10, fill=palette["box"])
    clip = element("clipPath", element("rect", width=WIDTH, height=ROWS * LINE), id="window")
    placed = element("g", element("g", lines, clip_path="url(#window)"), transform=f"translate(0 {top})")
    return [clip, window, placed]


def _row(palette, y, line, colour, weight, shown):
    """One line of the terminal, as wide as its characters wherever the font is another."""
    return element(
        "text", escape(line, quote=False), x=MARGIN, y=y, fill=palette[colour], font_weight=weight, class_=shown,
        textLength=len(line) * CHARACTER or None, xml_space="preserve",
    )  # fmt: skip


def _cell(palette, y, column, character, shown):
    return element("text", character, x=MARGIN + column * CHARACTER, y=y, fill=palette["text"], class_=shown)


def animation(record, palette):
    """Returns the animation of a record in the colours of a palette. Raises: ValueError, see Story."""
    story = Story(record)
    motion = Motion(story.end)
    parts = [
        element("rect", width=WIDTH, height=HEIGHT, rx=10, fill=palette["ground"]),
        *_paths(palette, motion, story),
        *(one for part in PARTS for one in _part(palette, motion, story, part)),
        *_counts(palette, motion, story),
        *_terminal(palette, motion, story),
    ]
    said = "; ".join(line.partition("== ")[2] for _, line in story.lines if "== " in line)
    description = f"A recorded run of {story.command}, at its own speed: {said}. At the end: {story.lines[-2][1]}."
    style = f"text{{font-size:{FONT_SIZE}px}}" + motion.sheet()
    return picture(WIDTH, HEIGHT, TITLE, description, parts, font=MONO, style=style)
