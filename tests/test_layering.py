"""The project obeys the rules of layering.py, and each rule fails on a small bad tree."""

import pytest

from tests.layering import (
    DEVICE_FOLDERS,
    ROOT,
    RULES,
    UNITS,
    beyond_the_bridge,
    cpython_only,
    halves_of_sessions,
    not_micropython,
    shared_state,
    stray_platform_imports,
    wrong_arrows,
    wrong_units,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_project_obeys(rule):
    found = rule(ROOT)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("folder", [*DEVICE_FOLDERS, "server", "sim", "build"])
def test_folder_has_files_to_check(folder):
    assert any((ROOT / folder).rglob("*.py")), f"{folder} has no code: has it moved?"


def write(root, relative, text):
    path = root / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def violations(rule, root, relative, text):
    write(root, relative, text)
    return rule(root)


BAD_ARROWS = [
    ("protocol/a.py", "import primitives.queue"),
    ("protocol/a.py", "from server import run"),
    ("protocol/a.py", "from .. import server"),
    ("protocol/deep/a.py", "def f():\n    from sim.clock import Clock"),
    ("primitives/a.py", "import protocol"),
    ("i2c_devices/a.py", "import pb_link"),
    ("pb_link/a.py", "import server"),
    ("pb_link/a.py", "import esp_link"),
    ("esp_link/a.py", "import pb_link"),
    ("esp_link/a.py", "__import__('server')"),
    ("esp_link/a.py", "__import__(name)"),
    ("esp_link/a.py", "__import__('server.' + name)"),
    ("esp_link/a.py", "__import__('server' + name)"),
    ("server/a.py", "import i2c_devices"),
    ("sim/a.py", "import build"),
    ("sim/a.py", "import examples"),
    ("examples/a.py", "import esp_link"),
    ("examples/a.py", "import sim"),
]
GOOD_ARROWS = [
    ("protocol/a.py", "from . import b\nimport struct\nfrom protocol.b import c"),
    ("protocol/deep/a.py", "from ..b import c"),
    ("pb_link/server.py", "from server import run"),
    ("server/a.py", "from protocol.session import Session"),
    ("sim/a.py", "import pb_link, esp_link, server"),
    ("examples/a.py", "from pb_link.app_base import AppBase"),
    ("tests/a.py", "import sim, build"),
]
BAD_UNITS = [
    ("sim/virtual/a.py", "from sim.mpy.bed import Bed"),
    ("sim/virtual/a.py", "from sim import mpy"),
    ("sim/virtual/deep/a.py", "def f():\n    from ...mpy import bed"),
    ("sim/virtual/a.py", "from sim import cli"),
    ("sim/virtual/a.py", "import sim"),
    ("sim/mpy/a.py", "import sim.virtual.world"),
    ("sim/mpy/a.py", "import importlib\nimportlib.import_module('sim.virtual')"),
    ("sim/wires/a.py", "from ..mpy import bed"),
    ("sim/wires/a.py", "from sim import virtual"),
    ("sim/wires/a.py", "from sim import checker"),
    ("sim/checker.py", "from sim.wires import wifi"),
    ("sim/new/a.py", "import asyncio"),
    ("build/tools/a.py", "from build.images import firmware"),
    ("build/images/a.py", "from build.install import flash"),
    ("build/install/a.py", "from build.bench import bars"),
    ("build/bench/a.py", "from build.images.firmware import romfs"),
    ("build/install/a.py", "import build.flash"),
    ("server/core/a.py", "from server.stores.memory import MemoryStore"),
    ("server/core/a.py", "from server import stores"),
    ("server/core/a.py", "from server import client_conn"),
    ("server/core/a.py", "def f():\n    from ..service import log"),
    ("server/core/store.py", "from server.core.connection import Connection"),
    ("server/core/history.py", "from server.core.store import StoreGone"),
    ("server/stores/a.py", "from server.core.keys import Keys"),
    ("server/stores/a.py", "from server.core import server"),
    ("server/stores/a.py", "from server.gateways import interface"),
    ("server/gateways/mqtt/a.py", "from server.stores.memory import MemoryStore"),
    ("server/gateways/mqtt/a.py", "from server.service.log import Log"),
    ("server/gateways/mqtt/a.py", "from server.gateways import micropython_iot"),
    ("server/gateways/mqtt/a.py", "from ..micropython_iot.adapter import Adapter"),
    ("server/gateways/interface.py", "from server.gateways.mqtt import settings"),
    ("server/gateways/setting.py", "from server.core.keys import Keys"),
    ("server/service/a.py", "from server.gateways.mqtt.gateway import Gateway"),
    ("server/service/a.py", "from server.gateways import mqtt"),
    ("server/service/a.py", "import importlib\nimportlib.import_module('server.gateways.mqtt.gateway')"),
    ("server/service/a.py", "from server import client_conn"),
    ("server/web/a.py", "import asyncio"),
]
GOOD_UNITS = [
    ("sim/virtual/a.py", "from sim import checker\nfrom sim.wires import wifi\nfrom . import world"),
    ("sim/mpy/a.py", "from sim.apps.counted_lines import shortest\nfrom ..wires.wire import Bus"),
    ("sim/wires/a.py", "from sim.wires import wire\nfrom .on_board.i2c_target import READ\nimport server"),
    ("sim/cli.py", "from sim.mpy import demo\nfrom sim.virtual import run\nimport sim"),
    ("build/install/a.py", "from build.images import firmware\nfrom build.tools.shell import say"),
    ("build/flash.py", "from build.install.flash import main\nfrom build.bench import bars"),
    ("server/__init__.py", "from server.core.server import Server\nfrom server.stores.memory import MemoryStore"),
    ("server/__main__.py", "import server\nfrom server.service.cli import main"),
    ("server/core/a.py", "from server.core.store import StoreGone\nfrom . import keys"),
    ("server/stores/a.py", "from server.core.store import ClientState\nfrom server.core import history"),
    ("server/gateways/mqtt/a.py", "from server.core.store import StoreGone\nfrom .settings import TITLE"),
    ("server/gateways/new/a.py", "from server.gateways import interface\nfrom server.gateways.new import b"),
    ("server/service/a.py", "from server.gateways.interface import gateway_class\nfrom server.core import server"),
]
BAD_PLATFORM = [
    ("esp_link/relay.py", "import machine"),
    ("server/core.py", "def f():\n    from socket import socket"),
    ("protocol/platform.py", "import network"),
    ("pb_link/app_base.py", "import esp"),
]
GOOD_PLATFORM = [
    ("primitives/platform.py", "import machine, network"),
    ("esp_link/board.py", "import machine"),
    ("pb_link/config.py", "from machine import Pin"),
    ("esp_link/a.py", "from micropython import const"),
    ("sim/a.py", "import socket"),
]
BAD_ON_DEVICES = [
    ("protocol/a.py", "from typing import Any"),
    ("primitives/a.py", "from __future__ import annotations"),
    ("i2c_devices/a.py", "import contextlib"),
    ("esp_link/a.py", "match 1:\n    case 1:\n        pass"),
    ("pb_link/a.py", "def f(a, /):\n    pass"),
    ("pb_link/a.py", "f = lambda a, /: a"),
    ("protocol/a.py", "try:\n    pass\nexcept* OSError:\n    pass"),
    ("protocol/a.py", "raise OSError(1) from None"),
    ("server/core/a.py", "raise OSError(1) from None"),
    ("server/core/a.py", "print(max([1, *(2, 3)]))"),
    ("server/core/a.py", "from dataclasses import dataclass"),
]
BAD_IN_CORE = [
    ("server/core/a.py", "import logging"),
    ("server/core/a.py", "try:\n    from signal import SIGTERM\nexcept ImportError:\n    pass"),
    ("server/core/a.py", "class A:\n    import sqlite3"),
    ("server/core/deep/a.py", "if True:\n    import tomllib"),
]
GOOD_IN_CORE = [
    ("server/core/a.py", "import asyncio, os\nfrom protocol.lines import encode_line\nfrom . import b"),
    ("server/core/a.py", "def f():\n    import socket"),
    ("server/service/a.py", "import tomllib"),
]
GOOD_ON_DEVICES = [
    ("protocol/a.py", "from collections import namedtuple\ndef f(a, *, b=1):\n    raise OSError(1)"),
    ("server/a.py", "import dataclasses"),
]
BAD_STATE = [
    ("protocol/a.py", "seen = []"),
    ("protocol/a.py", "seen: dict = {}"),
    ("primitives/a.py", "if True:\n    seen = set()"),
    ("primitives/a.py", "try:\n    seen = [i for i in range(3)]\nexcept OSError:\n    pass"),
    ("esp_link/a.py", "BUFFER = bytearray(10)"),
    ("esp_link/a.py", "first, second = [], 1"),
    ("pb_link/a.py", "class A:\n    seen = {}"),
    ("pb_link/a.py", "import asyncio\nevent = asyncio.Event()"),
    ("pb_link/a.py", "n = 0\ndef f():\n    global n\n    n += 1"),
    ("protocol/a.py", "TABLE = {}\ndef f(k):\n    TABLE[k] = 1"),
    ("protocol/a.py", "TABLE = {}\ndel TABLE[0]"),
    ("protocol/a.py", "_TABLE = []\ndef f(k):\n    _TABLE.append(k)"),
    ("protocol/a.py", "TABLE = [1]\nTABLE += [2]"),
]
GOOD_STATE = [
    ("protocol/a.py", "TABLE = {1: 2}\n_NAMES = [0] * 3\n__all__ = ['x']\nname = 'x'\npair = (1, 2)"),
    ("protocol/a.py", "class A:\n    def f(self):\n        self.seen = []\n        self.seen.append(1)"),
    ("protocol/a.py", "def f():\n    seen = []\n    seen.append(1)"),
    ("pb_link/config.py", "config = [8123, 'host']"),
    ("server/a.py", "seen = []"),
]
BAD_HALVES = [
    ("server/a.py", "def f(session):\n    return session.sender.base"),
    ("server/a.py", "class A:\n    def f(self):\n        half = self._session._receiver\n        return half.lines"),
    ("pb_link/a.py", "class A:\n    def f(self):\n        self.link.session.receiver.accept()"),
    ("tests/server/a.py", "async def f(client):\n    assert client.session.sender.idle"),
    ("sim/a.py", "def f(session):\n    return getattr(session, '_sender')"),
    ("build/a.py", "def f(sessions):\n    return sessions[0].sender"),
]
GOOD_HALVES = [
    ("server/a.py", "def f(session):\n    session.append(b'', True)\n    return session.lines"),
    ("pb_link/a.py", "class A:\n    def f(self):\n        return self.sender()"),
    ("protocol/a.py", "def f(session):\n    return session._sender.base"),
    ("tests/protocol/a.py", "def f(session):\n    return session._receiver.room"),
    ("tests/server/a.py", "def f(session, name):\n    return getattr(session, name)"),
]

BAD_BRIDGE = [
    ("esp_link/a.py", "import protocol.session"),
    ("esp_link/a.py", "from protocol import control, digest"),
    ("esp_link/a.py", "from protocol.handshake import Initiator"),
    ("esp_link/a.py", "def f():\n    __import__('protocol.frame')"),
    ("esp_link/a.py", "from i2c_devices import by_way"),
    ("esp_link/a.py", "from i2c_devices.by_way import b"),
    ("esp_link/a.py", "import i2c_devices.folder.b"),
]
GOOD_BRIDGE = [
    ("esp_link/a.py", "from protocol import control, mailbox"),
    ("esp_link/a.py", "from protocol.framing import FrameRelay"),
    ("i2c_devices/a.py", "from protocol.session import Session"),
    ("pb_link/a.py", "from i2c_devices.by_way import b"),
]


def cases(rule, samples):
    return [pytest.param(rule, *sample, id=f"{rule.__name__}-{number}") for number, sample in enumerate(samples)]


def make_ways(root):
    """Adds modules that obey every rule, for the imports of a sample to lead to."""
    for module in ("control", "digest", "frame", "framing", "handshake", "mailbox", "session"):
        write(root, f"protocol/{module}.py", "")
    write(root, "i2c_devices/by_way.py", "from i2c_devices import further")
    write(root, "i2c_devices/further.py", "def f():\n    from protocol.session import Session")
    write(root, "i2c_devices/folder/__init__.py", "import i2c_devices.further")


@pytest.mark.parametrize(
    ("rule", "relative", "text"),
    cases(wrong_arrows, BAD_ARROWS)
    + cases(wrong_units, BAD_UNITS)
    + cases(stray_platform_imports, BAD_PLATFORM)
    + cases(cpython_only, BAD_IN_CORE)
    + cases(not_micropython, BAD_ON_DEVICES)
    + cases(shared_state, BAD_STATE)
    + cases(halves_of_sessions, BAD_HALVES)
    + cases(beyond_the_bridge, BAD_BRIDGE),
)
def test_rule_finds_what_breaks_it(tmp_path, rule, relative, text):
    make_ways(tmp_path)
    found = violations(rule, tmp_path, relative, text)
    assert len(found) == 1
    assert found[0].startswith(relative + ":")


@pytest.mark.parametrize(
    ("rule", "relative", "text"),
    cases(wrong_arrows, GOOD_ARROWS)
    + cases(wrong_units, GOOD_UNITS)
    + cases(stray_platform_imports, GOOD_PLATFORM)
    + cases(cpython_only, GOOD_IN_CORE)
    + cases(not_micropython, GOOD_ON_DEVICES)
    + cases(shared_state, GOOD_STATE)
    + cases(halves_of_sessions, GOOD_HALVES)
    + cases(beyond_the_bridge, GOOD_BRIDGE),
)
def test_rule_lets_pass_what_obeys_it(tmp_path, rule, relative, text):
    make_ways(tmp_path)
    assert violations(rule, tmp_path, relative, text) == []


def test_row_of_a_deeper_path_comes_before_that_of_its_folder(tmp_path, monkeypatch):
    table = {"core": set(), "core/port": set(), "outer": {"core/port"}, "outer/one": {"core"}}
    monkeypatch.setitem(UNITS, "sim", table)
    assert violations(wrong_units, tmp_path, "sim/outer/a.py", "from sim.core import port") == []
    assert violations(wrong_units, tmp_path, "sim/outer/one/b.py", "from sim.core import other") == []
    (found,) = violations(wrong_units, tmp_path, "sim/outer/a.py", "from sim.core import other, port")
    assert found == "sim/outer/a.py:1: outer may not import sim.core.other"


def test_adapters_are_listed_in_the_architecture_document(tmp_path):
    document = tmp_path / "docs" / "architecture.md"
    document.parent.mkdir()
    document.write_text("`esp_link/other.py`\n<!-- adapters -->\n- `esp_link/tcp.py`\n<!-- /adapters -->\n")
    assert violations(stray_platform_imports, tmp_path, "esp_link/tcp.py", "import socket") == []
    assert len(violations(stray_platform_imports, tmp_path, "esp_link/other.py", "import socket")) == 1
