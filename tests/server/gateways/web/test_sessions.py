"""Sessions: their end, their number, and what ends them before."""

from server.gateways.web.sessions import MAX_OF_USER, Sessions
from server.gateways.web.users import User

ANN = User("ann", "view", (2, 1, 1, b"salt", b"hash"), None)
BOB = ANN._replace(name="bob")


class Bed:
    """Sessions of an hour, with a clock: `now`."""

    def __init__(self):
        self.now = 1000.0
        self.sessions = Sessions(3600, lambda: self.now)

    def user(self, token, *users):
        return self.sessions.user(token, {user.name: user for user in users or (ANN, BOB)})


def test_session_is_of_its_user_until_its_end():
    bed = Bed()
    token = bed.sessions.begin(ANN)
    bed.now += 3599
    assert bed.user(token) is ANN
    bed.now += 1
    assert bed.user(token) is None and len(bed.sessions) == 0


def test_token_is_needed_as_a_whole():
    bed = Bed()
    token = bed.sessions.begin(ANN)
    assert [bed.user(wrong) for wrong in ("", token[:-1], token + "x", "\ud800")] == [None] * 4


def test_log_out_ends_one_session():
    bed = Bed()
    first, second = bed.sessions.begin(ANN), bed.sessions.begin(ANN)
    bed.sessions.end(first)
    assert bed.user(first) is None and bed.user(second) is ANN


def test_user_with_another_role_or_password_logs_in_again():
    for changed in (ANN._replace(role="send"), ANN._replace(scrypt=None)):
        bed = Bed()
        token = bed.sessions.begin(ANN)
        assert bed.user(token, changed) is None
        assert bed.user(token, ANN) is None  # it has ended for good


def test_each_user_has_so_many_and_nobody_takes_those_of_others():
    bed = Bed()
    of_bob = bed.sessions.begin(BOB)
    tokens = [bed.sessions.begin(ANN) for _ in range(MAX_OF_USER + 2)]
    assert [bed.user(token) for token in tokens] == [None] * 2 + [ANN] * MAX_OF_USER
    assert bed.user(of_bob) is BOB


def test_sessions_that_ended_are_forgotten():
    bed = Bed()
    bed.sessions.begin(ANN)
    bed.now += 3600
    bed.sessions.begin(BOB)
    assert len(bed.sessions) == 1
