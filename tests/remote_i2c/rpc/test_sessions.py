"""Sessions: who uses which bus, and until when."""

from errno import EAGAIN, ESTALE

import pytest

from remote_i2c.errors import BusError
from remote_i2c.rpc.sessions import Sessions

PEER = "192.0.2.7"


def failing(call):
    """Returns the errno of what it raises."""
    with pytest.raises(BusError) as caught:
        call()
    return caught.value.errno


def test_session_is_known_until_it_expires():
    sessions = Sessions(expiry_s=5)
    session = sessions.open("bus", PEER, 100)
    assert sessions.use(session.id, 104.9) is session
    assert sessions.use(session.id, 109.8) is session  # any use counts as activity
    assert failing(lambda: sessions.use(session.id, 114.8)) == ESTALE
    assert sessions.expire(114.8) == [session] and len(sessions) == 0


def test_call_under_way_keeps_its_session():
    sessions = Sessions(expiry_s=5)
    session = sessions.open("bus", PEER, 0)
    with session:
        assert sessions.expire(60) == []
    assert sessions.expire(60) == [session]


def test_session_that_is_closed_is_unknown():
    sessions = Sessions()
    session = sessions.open("bus", PEER, 0)
    assert sessions.close(session.id) is session
    assert sessions.close(session.id) is None
    assert failing(lambda: sessions.use(session.id, 0)) == ESTALE


def test_ids_cannot_be_guessed():
    sessions = Sessions(max_sessions=50, max_of_peer=50)
    ids = {sessions.open("bus", PEER, 0).id for _ in range(50)}
    assert len(ids) == 50 and all(len(bytes.fromhex(one)) == 16 for one in ids)


def test_one_peer_has_so_many_sessions_and_all_together_so_many():
    sessions = Sessions(max_sessions=3, max_of_peer=2)
    first = sessions.open("bus", PEER, 0)
    sessions.open("bus", PEER, 0)
    assert failing(lambda: sessions.open("bus", PEER, 0)) == EAGAIN
    sessions.open("bus", "192.0.2.8", 0)
    assert failing(lambda: sessions.open("bus", "192.0.2.9", 0)) == EAGAIN
    sessions.close(first.id)
    sessions.open("bus", "192.0.2.9", 0)


def test_one_session_has_so_many_calls_under_way():
    session = Sessions(max_calls=2).open("bus", PEER, 0)
    with session, session:
        assert failing(lambda: session.__enter__()) == EAGAIN
    with session:
        assert session.calls == 1
