"""The picture of the parts names what the project has."""

from xml.etree import ElementTree

from build.images.diagrams import WIRES
from build.pictures import overview
from build.pictures.svg import LIGHT


def texts():
    return [one.text for one in ElementTree.fromstring(overview.overview(LIGHT)).iter() if one.tag.endswith("}text")]


def test_wires_are_those_of_the_diagrams():
    assert overview.WIRES == tuple(WIRES) and [one for one in texts() if one in WIRES] == list(WIRES)


def test_parts_are_named():
    assert {"client board", "ESP8266", "server"} <= set(texts())
