"""Mutual authentication of a new connection: the protocol and the client's half. The server's is in `responder.py`.

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
from protocol.digest import Hmac
from protocol.frame import FrameSeal
from protocol.limits import (
    EPOCH_BYTES,
    HINT_BYTES,
    MAX_FRAME,
    MAX_LINE,
    MIN_FRAME,
    MIN_LINE,
    NONCE_BYTES,
    PROOF_BYTES,
    VERSION,
)
from protocol.sequence import get16
from protocol.text import encode_text

KEY_HINT = b"pb_link 4 key hint"
SERVER_PROOF = b"pb_link 4 server proof"
CLIENT_PROOF = b"pb_link 4 client proof"
TO_SERVER = b"pb_link 4 client to server"
TO_CLIENT = b"pb_link 4 server to client"

EPOCH_AT = 2
NONCE_AT = EPOCH_AT + EPOCH_BYTES
FRAME_AT = NONCE_AT + NONCE_BYTES
LINE_AT = FRAME_AT + 2
_WELCOME_PROOF = LINE_AT + 2
_WELCOME_BYTES = _WELCOME_PROOF + PROOF_BYTES

START = "start"
HELLO_SENT = "hello sent"
DONE = "done"
FAILED = "failed"


def size_fault(data):
    """What is wrong with the sizes in HELLO or WELCOME, or None."""
    frame_size, line_size = get16(data, FRAME_AT), get16(data, LINE_AT)
    if not MIN_FRAME <= frame_size <= MAX_FRAME:
        return "frame size %d" % frame_size
    if not MIN_LINE <= line_size <= MAX_LINE:
        return "line size %d" % line_size
    return None


def equal(a, b):
    """True if two byte strings are the same, in time that depends only on their lengths."""
    if len(a) != len(b):
        return False
    different = 0
    for i in range(len(a)):
        different |= a[i] ^ b[i]
    return different == 0


def key_hint(hmac, head, tail):
    """The key hint between these parts of HELLO."""
    return hmac.digest(KEY_HINT, head, tail)[:HINT_BYTES]


def other_version(who, version):
    return "the %s speaks protocol version %d, this is %d" % (who, version, VERSION)


class Initiator:
    """The client's half. After DONE: `seal`, `peer_epoch`, `peer_max_frame`, `peer_max_line`."""

    def __init__(self, client_id, key, epoch, nonce, max_frame=MAX_FRAME, max_line=MAX_LINE):
        """epoch: 8 bytes; nonce: 16 fresh random bytes; max_line: bytes of the longest line that the client takes."""
        name = encode_text(client_id)
        self._hmac = Hmac(key)
        head = bytes((frame.HELLO, VERSION)) + epoch + nonce + pack(">HH", max_frame, max_line)
        tail = bytes((len(name),)) + name
        self._hello = head + key_hint(self._hmac, head, tail) + tail
        self.state = START

    def hello(self):
        """The HELLO frame. Send it first."""
        self.state = HELLO_SENT
        return self._hello

    def welcome(self, data):
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
        self.peer_epoch = data[EPOCH_AT:NONCE_AT]
        self.peer_max_frame = get16(data, FRAME_AT)
        self.peer_max_line = get16(data, LINE_AT)
        seed = sha256(transcript).digest()
        self.seal = FrameSeal(
            self._hmac.digest(TO_SERVER, seed), self._hmac.digest(TO_CLIENT, seed)
        )
        self.state = DONE
        return bytes((frame.PROOF,)) + self._hmac.digest(CLIENT_PROOF, transcript), None

    def _welcome_fault(self, data):
        if self.state != HELLO_SENT:
            return "handshake frame in state " + self.state
        if len(data) == 3 and data[0] == frame.REFUSED:
            if data[1] == frame.REFUSED_VERSION:
                return "refused: " + other_version("server", data[2])
            return "refused: " + frame.REASONS.get(data[1], "reason %d" % data[1])
        if len(data) != _WELCOME_BYTES or data[0] != frame.WELCOME:
            return "not a WELCOME"
        if data[1] != VERSION:
            return other_version("server", data[1])
        claimed = data[_WELCOME_PROOF:]
        proof = self._hmac.digest(SERVER_PROOF, self._hello, data[:_WELCOME_PROOF])
        if not equal(proof, claimed):
            return "the server has another key"
        return size_fault(data)
