"""Mutual authentication of a new connection, for both roles.

    client (Initiator)                         server (Responder)
    START --hello()------- HELLO ------------>  hello(): which id?
    HELLO_SENT                                  challenge(key, ..)
          <--------------- WELCOME ----------   WELCOME_SENT
    welcome(): checks the server's proof
    DONE  --------------- PROOF ------------->  proof(): checks the client's
                                                DONE
    anything else -> FAILED

Both prove that they hold the key over the whole transcript: label, version,
id, both nonces, both epochs, both sizes of frames and lines. The key hint in HELLO
tells the server which of several keys the client has; it proves nothing, because
it can be replayed. The session keys are HMACs of
the transcript under the key, one for each direction. Nothing here changes
the state of a session: the caller does, once a side is DONE.
`docs/protocol.md` section 5 has the argument.
"""

from hashlib import sha256
from struct import pack

from protocol import frame
from protocol.digest import Hmac, equal
from protocol.frame import Channel
from protocol.limits import (
    EPOCH_BYTES,
    HINT_BYTES,
    MAX_FRAME,
    MAX_ID,
    MAX_LINE,
    MIN_FRAME,
    MIN_LINE,
    NONCE_BYTES,
    PROOF_BYTES,
    VERSION,
)
from protocol.serial import get16
from protocol.text import decode_text, encode_text

_KEY_HINT = b"pb_link 3 key hint"
_SERVER_PROOF = b"pb_link 3 server proof"
_CLIENT_PROOF = b"pb_link 3 client proof"
_TO_SERVER = b"pb_link 3 client to server"
_TO_CLIENT = b"pb_link 3 server to client"

_EPOCH = 2
_NONCE = _EPOCH + EPOCH_BYTES
_FRAME = _NONCE + NONCE_BYTES
_LINE = _FRAME + 2
_HINT = _LINE + 2
_ID_LENGTH = _HINT + HINT_BYTES
_ID = _ID_LENGTH + 1
_WELCOME_PROOF = _LINE + 2
_WELCOME_BYTES = _WELCOME_PROOF + PROOF_BYTES
_PROOF_BYTES = 1 + PROOF_BYTES

START = "start"
HELLO_SENT = "hello sent"
WELCOME_SENT = "welcome sent"
DONE = "done"
FAILED = "failed"


def _size_fault(data):
    """What is wrong with the sizes in HELLO or WELCOME, or None."""
    frame_size, line_size = get16(data, _FRAME), get16(data, _LINE)
    if not MIN_FRAME <= frame_size <= MAX_FRAME:
        return "frame size %d" % frame_size
    if not MIN_LINE <= line_size <= MAX_LINE:
        return "line size %d" % line_size
    return None


def _hint(hmac, head, tail):
    """The key hint between these parts of HELLO."""
    return hmac.digest(_KEY_HINT, head, tail)[:HINT_BYTES]


def _other_version(who, version):
    return "the %s speaks protocol version %d, this is %d" % (who, version, VERSION)


class Initiator:
    """The client's half. After DONE: `channel`, `peer_epoch`, `peer_max_frame`, `peer_max_line`."""

    def __init__(self, client_id, key, epoch, nonce, max_frame=MAX_FRAME, max_line=MAX_LINE):
        """epoch: 8 bytes; nonce: 16 fresh random bytes; max_line: bytes of the longest line that the client takes."""
        name = encode_text(client_id)
        self._hmac = Hmac(key)
        head = bytes((frame.HELLO, VERSION)) + epoch + nonce + pack(">HH", max_frame, max_line)
        tail = bytes((len(name),)) + name
        self._hello = head + _hint(self._hmac, head, tail) + tail
        self.state = START

    def hello(self):
        """The HELLO frame. Send it first."""
        self.state = HELLO_SENT
        return self._hello

    def receive(self, data):
        """Take WELCOME or REFUSED.

        Returns: (reply, fault): the PROOF frame to send and None, or None and
        the reason for which the connection must be closed.
        """
        data = bytes(data)
        fault = self._welcome_fault(data)
        if fault:
            self.state = FAILED
            return None, fault
        transcript = self._hello + data
        self.peer_epoch = data[_EPOCH:_NONCE]
        self.peer_max_frame = get16(data, _FRAME)
        self.peer_max_line = get16(data, _LINE)
        seed = sha256(transcript).digest()
        self.channel = Channel(
            self._hmac.digest(_TO_SERVER, seed), self._hmac.digest(_TO_CLIENT, seed)
        )
        self.state = DONE
        return bytes((frame.PROOF,)) + self._hmac.digest(_CLIENT_PROOF, transcript), None

    def _welcome_fault(self, data):
        if self.state != HELLO_SENT:
            return "handshake frame in state " + self.state
        if len(data) == 3 and data[0] == frame.REFUSED:
            if data[1] == frame.REFUSED_VERSION:
                return "refused: " + _other_version("server", data[2])
            return "refused: " + frame.REASONS.get(data[1], "reason %d" % data[1])
        if len(data) != _WELCOME_BYTES or data[0] != frame.WELCOME:
            return "not a WELCOME"
        if data[1] != VERSION:
            return _other_version("server", data[1])
        claimed = data[_WELCOME_PROOF:]
        proof = self._hmac.digest(_SERVER_PROOF, self._hello, data[:_WELCOME_PROOF])
        if not equal(proof, claimed):
            return "the server has another key"
        return _size_fault(data)


class Responder:
    """The server's half.

    Call `hello(frame)`; look the id up; `challenge(...)`; `proof(frame)`.
    After `hello`: `client_id`, `peer_epoch`, `peer_max_frame`, `peer_max_line`,
    none of them proven before DONE. After DONE: `channel`. The attribute
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
        self.peer_epoch = self._hello[_EPOCH:_NONCE]
        self.peer_max_frame = get16(self._hello, _FRAME)
        self.peer_max_line = get16(self._hello, _LINE)
        return None

    def fits(self, key):
        """True if the hint in HELLO was made with this key: the client has it, or somebody repeats its HELLO."""
        hello = self._hello
        return equal(_hint(Hmac(key), hello[:_HINT], hello[_ID_LENGTH:]), hello[_HINT:_ID_LENGTH])

    def _hello_fault(self, data):
        if self.state != START:
            return "handshake frame in state " + self.state
        if len(data) < 2 or data[0] != frame.HELLO:
            return "not a HELLO"
        if data[1] != VERSION:
            self.refuse = frame.REFUSED_VERSION
            return _other_version("client", data[1])
        if len(data) <= _ID or len(data) != _ID + data[_ID_LENGTH] or data[_ID_LENGTH] > MAX_ID:
            return "malformed HELLO"
        try:
            self.client_id = decode_text(data[_ID:])
        except ValueError:
            return "the id is not UTF-8"
        if "\n" in self.client_id or "\r" in self.client_id:
            return "the id contains a newline"
        return _size_fault(data)

    def challenge(self, key, epoch, nonce, max_frame=MAX_FRAME, max_line=MAX_LINE):
        """Return the WELCOME frame. nonce: 16 fresh random bytes."""
        self._hmac = Hmac(key)
        head = bytes((frame.WELCOME, VERSION)) + epoch + nonce + pack(">HH", max_frame, max_line)
        self._transcript = self._hello + head + self._hmac.digest(_SERVER_PROOF, self._hello, head)
        self.state = WELCOME_SENT
        return self._transcript[len(self._hello) :]

    def proof(self, data):
        """Take PROOF. Returns None or the fault."""
        data = bytes(data)
        if self.state != WELCOME_SENT or len(data) != _PROOF_BYTES or data[0] != frame.PROOF:
            self.state = FAILED
            return "not a PROOF"
        if not equal(self._hmac.digest(_CLIENT_PROOF, self._transcript), data[1:]):
            self.state = FAILED
            self.refuse = frame.REFUSED_IDENTITY
            return "wrong key"
        seed = sha256(self._transcript).digest()
        self.channel = Channel(
            self._hmac.digest(_TO_CLIENT, seed), self._hmac.digest(_TO_SERVER, seed)
        )
        self.state = DONE
        return None
