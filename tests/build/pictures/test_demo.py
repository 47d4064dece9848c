"""The animation shows what the record says, when it says it. Its style sheet is read as a browser would apply it."""

import re
from xml.etree import ElementTree

import pytest

from build.pictures import demo, record
from build.pictures.svg import DARK

RULE = re.compile(r"@keyframes (s\d+)\{((?:[\d.]+%\{[^}]*\})+)\}\.\1\{animation:\1 ([\d.]+)s step-end infinite\}")
FRAME = re.compile(r"([\d.]+)%\{([^}]*)\}")
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def run():
    return record.kept()


class Played:
    """The animation at one moment: step-end keeps each value until the next one."""

    def __init__(self, source):
        self.root = ElementTree.fromstring(source)
        sheet = self.root.find(f"{SVG}style").text
        self.rules = {name: FRAME.findall(frames) for name, frames, _ in RULE.findall(sheet)}
        self.period = {float(period) for _, _, period in RULE.findall(sheet)}

    def _value(self, one, seconds):
        frames = self.rules.get(one.attrib.get("class"), ())
        (period,) = self.period
        passed = [value for percent, value in frames if float(percent) <= 100 * seconds / period + 0.001]
        return passed[-1] if passed else f"opacity:{one.attrib.get('opacity', 1)}"

    def visible(self, seconds):
        """Returns the texts that can be seen, whether scrolled away or not."""
        found = []

        def walk(one):
            if self._value(one, seconds) == "opacity:0":
                return
            if one.tag == f"{SVG}text":
                found.append(one.text)
            for inner in one:
                walk(inner)

        walk(self.root)
        return found


@pytest.fixture(scope="module")
def played(run):
    return Played(demo.animation(run, DARK))


def cut(line):
    return line if len(line) <= demo.COLUMNS else line[: demo.COLUMNS - 2] + ".."


def test_each_line_appears_at_its_time_and_stays(run, played):
    lines = [(seconds + demo.TYPED_S, cut(line)) for seconds, line in run["lines"]]
    for moment, _ in lines:
        due = [line for seconds, line in lines if seconds <= moment]
        shown = [text for text in played.visible(moment + 0.005) if text in {line for _, line in lines}]
        assert shown == due


def test_command_is_typed_before(played):
    assert "".join(played.visible(demo.TYPED_S * 0.99)[-8:]) == "makedemo"
    assert "m" not in played.visible(0.0)


def test_parts_fail_while_the_record_says_so(run, played):
    story = demo.Story(run)
    said = {part: f"{demo.PARTS[part][0]}: {word}" for _, part, word, _ in demo.FAULTS}
    for part, (begin, end, resumed) in story.faults.items():
        assert begin < end <= resumed
        assert said[part] in played.visible(begin + 0.1) and said[part] not in played.visible(begin - 0.1)
        assert said[part] not in played.visible(end + 0.1)


def test_end_stands_for_whom_nothing_moves(run):
    still = ElementTree.fromstring(demo.animation(run, DARK))
    hidden = [one for one in still.iter() if one.attrib.get("opacity") == "0"]
    texts = [one.text for group in hidden for one in group.iter() if one.tag == f"{SVG}text"]
    assert run["lines"][-2][1] not in texts
    assert {f"{demo.PARTS[part][0]}: {word}" for _, part, word, _ in demo.FAULTS} <= set(texts)


def test_record_without_recovery_is_refused(run):
    crash = next(index for index, (_, line) in enumerate(run["lines"]) if "is killed" in line)
    with pytest.raises(ValueError, match="no line of the record shows that lines flow again"):
        demo.Story({**run, "lines": run["lines"][: crash + 4]})


def test_record_of_something_else_is_refused():
    with pytest.raises(ValueError, match="is not that of a whole demo"):
        demo.Story({"command": "make test", "lines": [[0.0, "collected 3 items"]]})


def test_kept_record_is_of_a_demo_that_lost_nothing(run):
    assert run["lines"][-2][1] == "nothing was lost, duplicated, reordered or corrupted"
    assert re.search(r"resets [1-9]", run["lines"][-3][1])
