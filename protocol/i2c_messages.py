"""The numbers of channel 1, on which the server has a client's I2C buses: docs/remote-i2c.md, "The client's half".

A request:
    0   1   version, 1
    1   1   number of the bus
    2   4   life: of the client's service, as it told it. A request for another life is not carried out
    6   ..  transfers, carried out in their order until one fails
A transfer:
    0   1   messages in it, 1..MAX_MESSAGES; or ADDRESS_ALONE: one message without length and data follows
    1   ..  messages, joined by repeated starts
A message:
    0   1   address * 2, + 1: it reads
    1   2   length; with COUNTED, of one that reads: the target's first byte says how many follow, and the rest of
            length says how many more are read behind those
    3   ..  the bytes to write

The answer has for each transfer that was carried out a byte DONE, and the bytes that each of its messages has read (of
a counted one with the count in front). The first transfer that failed has its code and the number of the message, or
UNKNOWN, and ends the answer. OTHER_LIFE stands alone, and behind it the life, 4 bytes.
"""

from protocol import const

I2C_CHANNEL = const(1)
I2C_VERSION = const(1)
HEAD_BYTES = const(6)
LIFE_AT = const(2)
LIFE_BYTES = const(4)

# In place of a number of messages.
ADDRESS_ALONE = const(0)
MAX_MESSAGES = const(42)
# In a length.
COUNTED = const(0x8000)
LENGTH = const(0x7FFF)

# Bytes of one transfer, both ways: 25 ms at 100 kHz, in which the client does nothing else.
MAX_TRANSFER_BYTES = const(256)
# Of a request, and of an answer: they fit into one frame.
MAX_I2C_BYTES = const(900)
# Of a block that a target counts.
MAX_COUNT = const(32)

# What begins the answer to a transfer.
DONE = const(0)
NO_ANSWER = const(1)  # nobody acknowledged the address
STOPPED = const(2)  # a later byte was not acknowledged, or what came cannot be right
HELD = const(3)  # a wire was held for too long
CANNOT = const(4)  # the board's I2C cannot do this
NOT_ALLOWED = const(5)  # the address
NO_BUS = const(6)  # of this number
BUSY = const(7)  # as many wait for the sensor bus as may
LATE = const(8)  # the sensor bus has not come to it in its time
BARRED = const(9)  # the sensor bus leaves this address alone for now
BAD_REQUEST = const(10)
NO_MEMORY = const(11)
OTHER_LIFE = const(12)
# The number of a message that is not known.
UNKNOWN = const(255)
