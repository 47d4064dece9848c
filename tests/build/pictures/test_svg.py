"""Palettes that can be read, and texts that cannot leave their element."""

from xml.etree import ElementTree

import pytest

from build.pictures.svg import PALETTES, element, picture, text

MIN_CONTRAST = 4.5  # WCAG 2.2, 1.4.3


def luminance(colour):
    """Relative luminance as WCAG 2.2 defines it, of "#rrggbb"."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("name", PALETTES)
@pytest.mark.parametrize("ground", ["ground", "box"])
def test_texts_can_be_read(name, ground):
    palette = PALETTES[name]
    for colour in ("text", "dim", "accent", "good", "bad"):
        lights = sorted((luminance(palette[colour]), luminance(palette[ground])))
        assert (lights[1] + 0.05) / (lights[0] + 0.05) >= MIN_CONTRAST, colour


def test_text_is_shown_as_it_is():
    found = ElementTree.fromstring(text(1, 2, "<a> & 'b'", fill="#000000", class_="c"))
    assert found.text == "<a> & 'b'" and found.attrib["class"] == "c" and found.attrib["text-anchor"] == "middle"


def test_attributes_that_are_none_are_left_out():
    assert element("rect", x=0, rx=None) == '<rect x="0"/>'


def test_picture_says_what_it_shows():
    found = ElementTree.fromstring(picture(4, 3, "a < b", "more", [element("rect", width=4)]))
    assert [one.text for one in found][:2] == ["a < b", "more"] and found.attrib["viewBox"] == "0 0 4 3"
