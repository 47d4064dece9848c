"""What of a record is written: its row, and those of its channels that have changed."""

from server.core.message import Message, line
from server.stores.box import Box
from server.stores.sqlite_record import SQLiteRecord
from server.stores.sqlite_rows import CHANNEL_COLUMNS, CLIENT_COLUMNS

EPOCH = b"client's"


def test_row_has_a_value_for_each_column():
    record = SQLiteRecord("a", {"key": 9})
    record.claim()
    record.receive(EPOCH, {0: 3}, [line(b"x"), Message(5, 0, 0, b"y")])
    record.put(line(b"z"))
    record.acknowledge({0: 1})
    row = dict(zip(CLIENT_COLUMNS, record.row(), strict=True))
    del row["epoch"], row["runs"]
    assert row == {
        "key": 9, "id": "a", "owner": 1, "peer_epoch": EPOCH.hex(), "next_number": 3, "inbox_next": 2, "base": 1,
        "outbox_next": 1, "messages": 2, "note": "", "away_s": 0,
    }  # fmt: skip


def test_only_channels_that_have_changed_are_written():
    record = SQLiteRecord("a", {"key": 9})
    record.receive(EPOCH, {0: 3}, [line(b"x")])
    assert not record.changed_channels(), "lines have their numbers in the client's row"
    record.receive(EPOCH, {5: 1}, [Message(5, 0, 0, b"y")])
    record.put(Message(6, 0, 0, b"z"))
    rows = [dict(zip(CHANNEL_COLUMNS, row, strict=True)) for row in record.changed_channels()]
    assert sorted(rows, key=str) == [
        {"client": 9, "channel": 0, "next_number": 0, "base": 0, "past": 0, "expired": 0},
        {"client": 9, "channel": 5, "next_number": 1, "base": 0, "past": 0, "expired": 0},
        {"client": 9, "channel": 6, "next_number": 0, "base": 0, "past": 0, "expired": 0},
    ]
    record.acknowledge({6: 1})
    assert record.changed_channels() == [(9, 6, 0, 1, 1, 0)] and not record.changed_channels()
    record.put(line(b"x"))
    record.acknowledge({0: 1})
    assert record.changed_channels() == [(9, 0, 0, 0, 2, 0)], "of channel 0 only what the client's row does not have"


def test_channels_of_another_epoch_are_written_as_new():
    record = SQLiteRecord("a", {"key": 9})
    record.receive(EPOCH, {5: 30}, [], {5: 6})
    assert record.changed_channels() == [(9, 0, 0, 0, 0, 0), (9, 5, 30, 0, 0, 6)]
    record.receive(b"another.", {0: 1}, [line(b"x")])
    assert record.changed_channels() == [(9, 5, 0, 0, 0, 0)]


def test_what_was_loaded_is_not_written_again():
    box = Box()
    box.append(3, Message(5, 0, 0, b"y"))
    channels = {0: (9, 0, 0, 0, 0, 0), 5: (9, 5, 1, 0, 0, 3)}
    loaded = {"cursors": {0: 0, 5: 1}, "bases": {0: 0, 5: 0}, "expired": {5: 3}, "inbox": {5: box}, "inbox_next": 4}
    record = SQLiteRecord("a", {"key": 9, "channels": channels, **loaded})
    assert not record.changed_channels() and record.cost == box.cost and record.safe == 4
