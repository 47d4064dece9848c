"""Every bound and default of the session, with its unit and its reason.

Sizes that both ends must agree on are wire facts and change only with
`VERSION`; the others are defaults that a constructor may override.
The table in `docs/protocol.md` section 8 repeats them; a test compares.
"""

from protocol import const
from protocol.framing import MAX_FRAME, VERSION  # noqa: F401 - facts of the stream, named here too

# What HELLO may announce: room for the header, the MAC and one short record.
MIN_FRAME = const(128)

# The longest line, in bytes of UTF-8 without the newline. An end may announce less in its handshake, but not less
# than MIN_LINE.
MAX_LINE = const(8192)
MIN_LINE = const(128)

# What a record costs in the flow control beyond its payload: its 2-byte
# header and about what an object costs on a board, so that a flood of empty
# lines is bounded in memory as well.
RECORD_CHARGE = const(16)

# Free receive space is announced in units of this many bytes.
ROOM_UNIT = const(64)

# Receive space of an endpoint: the longest line in fragments of the smallest
# size (one of 16 bytes and 128 of 64, each charged RECORD_CHARGE), and one unit
# for rounding down.
RECEIVE_BYTES = const(10320)

# Lines and bytes that the sender holds until they are acknowledged. One line
# of any length is always admitted when nothing else is held. Half of it is on
# its way, or waits in the mailbox, while the acknowledgement of the other half
# comes: eight full frames, also of lines of 50 bytes.
SEND_LINES = const(160)
SEND_BYTES = const(8192)

# A fragment carries at least this many bytes unless the line ends with it.
MIN_FRAGMENT = const(64)
# The first one may be smaller: it fills up a frame that other lines have begun.
MIN_FIRST = const(16)

# An acknowledgement waits this long for data or another acknowledgement to
# travel with. Well below the 25 ms that one full I2C transfer takes.
ACK_DELAY_MS = const(5)

# And this long if the peer has said that more follows at once: it asks when it
# has used half of its window, some 110 ms at 400 kHz.
ACK_LATE_MS = const(250)

# Frames sent but not seen by the peer for this long mean that something
# between the ends swallows them: the connection is closed and resumed.
STALL_MS = const(10000)

# Lines that the peer has seen and not accepted, or has no room for, make us ask
# after this long whether it has told so: what it told may have been swallowed.
PROBE_MS = const(10000)

# A connection that is not authenticated and resumed by then is closed.
HANDSHAKE_MS = const(10000)

# Bytes of UTF-8 in a client id.
MAX_ID = const(64)

# Key, nonce and epoch lengths in bytes.
KEY_BYTES = const(32)
NONCE_BYTES = const(16)
EPOCH_BYTES = const(8)
# Of the name of a run of a server on its store.
RUN_BYTES = const(8)
# A session frame's MAC is HMAC-SHA256 cut to this many bytes.
MAC_BYTES = const(8)
# Proofs of the handshake are not cut.
PROOF_BYTES = const(32)
# The key hint in HELLO is an HMAC-SHA256 cut to this many bytes.
HINT_BYTES = const(8)
