"""What a record of a channel has: docs/protocol.md section 4.

    A record of a channel, behind the two bytes of its header (`frame.py`):
    0   1   bit 7: TYPED; bits 6..0: the channel, 1..127
    1   1   with TYPED: the type; else it is 0, a plain message, or what BRIEF bits of the header say
    ..      the payload

    Types of messages, and what is in front of the message in the payload:
    01      EXPIRES: 2 bytes, ms for which it may still wait: bits 10..0 times two to the power of the others
    02      REQUEST: 4 bytes, its id
    04      ANSWER: 4 bytes, the id of the request
    06      FAILURE: the same; the text says why there is no answer
    08      DROPPED: the message has expired. It is empty, and keeps its number.

    Types that are no messages:
    80      CREDIT    0  2  ack: every message before this one is accepted
                      2  2  seen: bytes charged for the records received on this connection
                      4  1  room: bytes that I can take beyond `seen`, in units of 64
                      5  4  expired: bit i: message ack - 1 - i was not accepted in time. Absent if 0
    81      OPEN      an entry, see ENTRY

A message is bytes. One that is of a type is (bytes, type, deadline), with what is in front of the message in the bytes.
"""

# Of frames: frame.py has their tables.
NOTICE = 0x14
LIST = 0x15
LISTED = 0x04  # flag of RESUME
CHANNEL = 0x2000  # bit of a record's header

# Bits of its first one instead of the byte of the type, for the two that are the most frequent.
BRIEF_REQUEST = 0x0800  # REQUEST | EXPIRES
BRIEF_ANSWER = 0x1000
BRIEF = 0x1800

# LIST: header, entries, flag of the last frame.
LIST_HEADER = 2
LIST_END = 0x01

TYPED = 0x80  # of the channel's byte
LAST = 127  # the highest channel

EXPIRES = 0x01
REQUEST = 0x02
ANSWER = 0x04
FAILURE = 0x06
CALL = 0x06  # bits of the three
DROPPED = 0x08
CONTROL = 0x80  # this bit: it is no message
CREDIT = 0x80
OPEN = 0x81

KNOWN_TYPES = EXPIRES | CALL | DROPPED
LIMIT = 2  # bytes of a time limit in front of a message
FIELD = 4  # bytes of an id in front of it
FIELDS = 6  # of both: a message is so much shorter than the longest line

# flags, base, ack, next, room, expired: as in RESUME and CREDIT.
ENTRY = ">BIIIBI"
ENTRY_BYTES = 18
LIST_ENTRY = 1 + ENTRY_BYTES
# Flag of an entry: I know of no message of yours, and ack and next are not valid: begin with your base.
FRESH = 0x01

# What the first record of a message with a type is charged beyond RECORD_CHARGE: the tuple in which a board holds it. A
# channel's receive space is so much larger, for the longest message.
TYPED_CHARGE = 32

# A CREDIT for requests and answers may wait, at most ACK_LATE_MS, while a frame has a request or an answer of the
# channel, if less than this was charged since the last one, and that told of more than twice as much room.
LATE_CREDIT = 1024

# Messages of a channel while one of them can expire: `expired` has a bit for each that may have been accepted.
MAX_TIMED = 30
EXPIRED_BITS = 0x3FFFFFFF
# The longest wait that ticks can measure, less a day.
MAX_TTL_MS = 450000000
