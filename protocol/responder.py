"""Mutual authentication of a new connection: the server's half, apart so that no board has to hold it. `handshake.py`
describes the protocol."""

from hashlib import sha256
from struct import pack

from protocol import frame
from protocol.digest import Hmac
from protocol.frame import FrameSeal
from protocol.handshake import (
    CLIENT_PROOF,
    DONE,
    EPOCH_AT,
    FAILED,
    FRAME_AT,
    LINE_AT,
    NONCE_AT,
    SERVER_PROOF,
    START,
    TO_CLIENT,
    TO_SERVER,
    equal,
    key_hint,
    other_version,
    size_fault,
)
from protocol.limits import HINT_BYTES, MAX_FRAME, MAX_ID, MAX_LINE, PROOF_BYTES, VERSION
from protocol.sequence import get16
from protocol.text import decode_text

_HINT = LINE_AT + 2
_ID_LENGTH = _HINT + HINT_BYTES
_ID = _ID_LENGTH + 1
_PROOF_BYTES = 1 + PROOF_BYTES

WELCOME_SENT = "welcome sent"


def encode_refused(reason, version):
    return bytes((frame.REFUSED, reason, version))


class Responder:
    """The server's half.

    Call `hello(frame)`; look the id up; `challenge(...)`; `proof(frame)`.
    After `hello`: `client_id`, `peer_epoch`, `peer_max_frame`, `peer_max_line`,
    none of them proven before DONE. After DONE: `seal`. The attribute
    `refuse` holds the reason code to send when `hello` found a fault.
    """

    def __init__(self):
        self.state = START
        self.client_id = None
        self.refuse = None

    def hello(self, data):
        """Take HELLO. Returns None or the fault; then `client_id` is known, unproven."""
        self._hello = bytes(data)
        fault = self._hello_fault(self._hello)
        if fault:
            self.state = FAILED
            return fault
        self.peer_epoch = self._hello[EPOCH_AT:NONCE_AT]
        self.peer_max_frame = get16(self._hello, FRAME_AT)
        self.peer_max_line = get16(self._hello, LINE_AT)
        return None

    def fits(self, key):
        """True if the hint in HELLO was made with this key: the client has it, or somebody repeats its HELLO."""
        hello = self._hello
        return equal(key_hint(Hmac(key), hello[:_HINT], hello[_ID_LENGTH:]), hello[_HINT:_ID_LENGTH])

    def _hello_fault(self, data):
        if self.state != START:
            return "handshake frame in state " + self.state
        if len(data) < 2 or data[0] != frame.HELLO:
            return "not a HELLO"
        if data[1] != VERSION:
            self.refuse = frame.REFUSED_VERSION
            return other_version("client", data[1])
        if len(data) <= _ID or len(data) != _ID + data[_ID_LENGTH] or data[_ID_LENGTH] > MAX_ID:
            return "malformed HELLO"
        try:
            self.client_id = decode_text(data[_ID:])
        except ValueError:
            return "the id is not UTF-8"
        if "\n" in self.client_id or "\r" in self.client_id:
            return "the id contains a newline"
        return size_fault(data)

    def challenge(self, key, epoch, nonce, max_frame=MAX_FRAME, max_line=MAX_LINE):
        """Return the WELCOME frame. nonce: 16 fresh random bytes."""
        self._hmac = Hmac(key)
        head = bytes((frame.WELCOME, VERSION)) + epoch + nonce + pack(">HH", max_frame, max_line)
        self._transcript = self._hello + head + self._hmac.digest(SERVER_PROOF, self._hello, head)
        self.state = WELCOME_SENT
        return self._transcript[len(self._hello) :]

    def proof(self, data):
        """Take PROOF. Returns None or the fault."""
        data = bytes(data)
        if self.state != WELCOME_SENT or len(data) != _PROOF_BYTES or data[0] != frame.PROOF:
            self.state = FAILED
            return "not a PROOF"
        if not equal(self._hmac.digest(CLIENT_PROOF, self._transcript), data[1:]):
            self.state = FAILED
            self.refuse = frame.REFUSED_IDENTITY
            return "wrong key"
        seed = sha256(self._transcript).digest()
        self.seal = FrameSeal(
            self._hmac.digest(TO_CLIENT, seed), self._hmac.digest(TO_SERVER, seed)
        )
        self.state = DONE
        return None
