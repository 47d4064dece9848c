"""The states of both sides of the mailbox: the tables of docs/protocol.md section 2, the code's, and what happens."""

import re
from pathlib import Path

import pytest

from i2c_devices import mailbox_controller
from i2c_devices.mailbox_controller import MailboxController
from i2c_devices.mailbox_target import MailboxTarget
from i2c_devices.ports import TargetPort
from protocol import mailbox as box
from protocol.target_cells import decode_sync, encode_status_into
from tests.i2c_devices.bus import FlakyBus

MICROPYTHON = False
MICROPYTHON_REASON = "reads docs/protocol.md"

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "protocol.md"
LETTERS = {"G": "greet", "R": "repeat", "S": ""}
TARGET, OTHER_TARGET = 7, 8


def documented(side):
    """{state: {event: (action, next state)}} of the table of that side."""
    section = DOCUMENT.read_text(encoding="utf-8").split("\n## 2 ")[1].split("\n## 3 ")[0]
    rows = re.search(rf"^\| {side} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", section, re.MULTILINE)
    head = [cell.strip() for cell in rows[0].splitlines()[0].strip("|").split("|")]
    table = {}
    for row in rows[1].splitlines():
        state, *cells = (cell.strip() for cell in row.strip("|").split("|"))
        table[state] = {event: tuple(cell.rpartition(", ")[::2]) for event, cell in zip(head[1:], cells, strict=True)}
    return table


BRIDGE, CLIENT = documented("bridge"), documented("client")


def cases(table):
    return [(state, event) for state, events in table.items() for event in events]


class Controller:
    """A MailboxController, and a memory in which a test writes STATUS."""

    def __init__(self, state):
        self.bus = FlakyBus()
        self.bus.target(box.ADDRESS, bytearray(box.TX + box.SLOTS * box.TX_STRIDE), box.ADDRESS_BITS)
        self.bus.irq(lambda target: None)
        self.box = MailboxController(self.bus, box.ADDRESS, lambda n: b"\1\2")
        if state != "UNKNOWN":
            self.poll(TARGET, 0)
        if state == "SYNCHRONISED":
            self.poll(TARGET, self.box._epoch)
        assert self.state == state

    @property
    def state(self):
        if not self.box._epoch:
            return "UNKNOWN"
        return "SYNCHRONISED" if self.box.synchronised else "GREETING"

    def poll(self, target_epoch, controller_epoch):
        """Returns the action that follows from a STATUS that names these."""
        status = box.StatusCell()
        status.target_epoch, status.controller_epoch = target_epoch, controller_epoch
        encode_status_into(status, memoryview(self.bus.memory)[box.STATUS :])
        self.bus.memory[: box.SYNC_BYTES] = bytes(box.SYNC_BYTES)
        before = self.box._epoch
        self.box.poll()
        sync = decode_sync(self.bus.memory)
        if sync is None:
            return ""
        assert sync == (self.box._epoch, target_epoch, box.PAYLOAD)
        return "repeat" if self.box._epoch == before else "greet"


def test_table_of_the_bridge_is_that_of_the_code():
    rows = [mailbox_controller._DOES[i : i + 3].decode() for i in range(0, 9, 3)]
    polled = [[action for action, _ in list(events.values())[:3]] for events in BRIDGE.values()]
    assert list(BRIDGE) == ["UNKNOWN", "GREETING", "SYNCHRONISED"]
    assert polled == [[LETTERS[letter] for letter in row] for row in rows]


@pytest.mark.parametrize(("state", "event"), cases(BRIDGE))
def test_bridge_does_what_its_table_says(state, event):
    controller = Controller(state)
    own = controller.box._epoch
    target = TARGET if own else 0  # in UNKNOWN no epoch is known
    if event == "another client":
        action = controller.poll(OTHER_TARGET, own)
    elif event == "another bridge":
        action = controller.poll(target, own ^ 1)
    elif event == "both as they are":
        action = controller.poll(target, own)
    else:
        assert event == "a fault"
        for _ in range(box.MAX_REWRITES + 1):
            controller.box.send_again()
        action = ""
    assert (action, controller.state) == BRIDGE[state][event]


@pytest.mark.parametrize("fault", ["refusals", "rewrites", "length", "epochs behind a transfer"])
def test_each_fault_of_a_synchronised_bridge_leads_to_unknown(fault):
    controller = Controller("SYNCHRONISED")
    status = controller.box.status
    status.end, status.length0 = 1, 10
    if fault == "rewrites":
        for _ in range(box.MAX_REWRITES + 1):
            controller.box.send_again()
    elif fault == "length":
        status.length0 = box.PAYLOAD + 1
        controller.box.fetch()
    else:
        behind = box.StatusCell()
        behind.target_epoch = TARGET + (fault != "refusals")
        behind.controller_epoch, behind.end, behind.length0 = controller.box._epoch, 1, 10
        encode_status_into(behind, memoryview(controller.bus.memory)[box.TX + box.SLOT :])
        for _ in range(box.MAX_REFUSALS if fault == "refusals" else 1):
            assert controller.state == "SYNCHRONISED"
            controller.box.fetch()
    assert controller.state == "UNKNOWN"


@pytest.mark.parametrize(("state", "event"), cases(CLIENT))
def test_client_does_what_its_table_says(state, event):
    target = MailboxTarget(TargetPort(FlakyBus().target, addr=box.ADDRESS), TARGET, lambda: None)
    target.open()

    def sync(target_epoch, controller_epoch, max_payload=box.PAYLOAD):
        box.encode_sync_into(target._memory, box.SYNC, controller_epoch, target_epoch, max_payload)
        return "begin" if target.poll() else ""

    known = 5 if state == "SYNCHRONISED" else 0
    if known:
        assert sync(TARGET, known) == "begin"
    if event == "close()":
        target.close()
        actions = {""}
    elif event == "a new epoch":
        actions = {sync(TARGET, 6)}
    elif event == "the known epoch":
        actions = {sync(TARGET, known)}
    else:
        assert event == "unfit"
        actions = {sync(OTHER_TARGET, 6), sync(TARGET, 0), sync(TARGET, 6, 127)}
    (action,) = actions
    assert (action, "SYNCHRONISED" if target.synchronised else "ALONE") == CLIENT[state][event]
