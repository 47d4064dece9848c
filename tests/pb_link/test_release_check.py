"""A client and a bridge of different releases: said at the start, once, with the remedy."""

import pytest

from i2c_devices.mailbox_controller import MailboxController
from i2c_devices.mailbox_target import MailboxTarget
from i2c_devices.ports import TargetPort
from pb_link.release_check import ReleaseCheck, decode_release
from protocol import control
from protocol import mailbox as box
from protocol.version import RELEASE, release_text
from tests.i2c_devices.bus import FlakyBus

MICROPYTHON = False
MICROPYTHON_REASON = "uses pytest"


def test_the_same_release_is_not_worth_a_word(capsys):
    check = ReleaseCheck()
    check.told(control.RELEASE_RECORD)
    assert check.bridge == RELEASE and capsys.readouterr().out == ""


@pytest.mark.parametrize("release", [(0, 0, 9), (RELEASE[0] + 1, 0, 0), None])
def test_another_release_is_said_once_with_the_remedy(capsys, release):
    check = ReleaseCheck()
    record = bytes((control.RELEASE, *(release or ())))
    check.told(record)
    check.told(record)
    (line,) = capsys.readouterr().out.splitlines()
    assert release_text(release or "unknown".split()) in line and release_text(RELEASE) in line
    assert "build/flash.py" in line


@pytest.mark.parametrize("record", [b"\x07", b"\x07\x00\x01", b"\x07\x00\x01\x00\x00"])
def test_malformed_release_is_none(record):
    assert decode_release(record) is None


def test_mailbox_of_another_layout_is_noticed_and_makes_no_link(monkeypatch, capsys):
    ours, newer = box.LAYOUT_VERSION, box.LAYOUT_VERSION + 1
    bus = FlakyBus()
    monkeypatch.setattr(box, "LAYOUT_VERSION", newer)
    target = MailboxTarget(TargetPort(bus.target, box.ADDRESS), 77, lambda: None)
    target.open()
    monkeypatch.setattr(box, "LAYOUT_VERSION", ours)
    controller = MailboxController(bus, box.ADDRESS, bytes)
    assert not controller.poll() and not controller.synchronised
    monkeypatch.setattr(box, "LAYOUT_VERSION", newer)
    assert not target.poll() and not target.synchronised and target.other_layout == ours
    check = ReleaseCheck()
    check.other_layout(target.other_layout)
    assert "with another mailbox (55): no link" in capsys.readouterr().out


def test_damaged_cell_is_no_other_layout():
    cell = bytearray(box.SYNC_BYTES)
    box.encode_sync_into(cell, 0, 1, 2, 1000)
    cell[0] ^= 1
    assert box.other_layout(cell, box.SYNC_BYTES) == 0
    assert box.other_layout(bytearray(box.STATUS_BYTES), box.STATUS_BYTES) == 0
