"""The client's times and bounds, in one place, with their reasons."""

from protocol import const

# STATUS shows a new beat this often; the bridge allows CLIENT_SILENT_MS.
BEAT_MS = const(500)

# A quiet bridge looks at the mailbox every second: three beats and a half.
BRIDGE_IDLE_MS = const(3500)
# The client's loop takes a step at least every MAX_WAIT_MS. After twice that the client was away itself, in a long call
# or asleep. The bridge then has the time of its slowest look, 1000 ms, and half of it, before it is judged; so often in
# a row at most, or a client that is always slow would never miss a bridge that is dead.
OWN_ABSENCE_MS = const(500)
BRIDGE_LOOK_MS = const(1500)
OWN_ABSENCES = const(8)
# With something for it in the mailbox, syn is pulsed this often, and an
# answer is missed after four pulses, if it has answered pulses before.
SYN_REPEAT_MS = const(250)
BRIDGE_PENDING_MS = const(1100)
# An answer to a pulse comes within this, or it was not an answer.
SYN_ANSWER_MS = const(200)

# What is in the mailbox is seen before its edge or event: those come so much later at most.
EDGE_LATE_MS = const(5)

# After reset is released the bus is left alone until the ESP8266 shows itself
# on ack, or for this long: it samples its boot straps in the first ms.
STRAP_HOLD_MS = const(1500)
# From release to the first use of the mailbox: boot takes about a second.
BOOT_MS = const(6000)
# The next time-out after a boot that did not succeed is twice as long, up to this.
BOOT_LAST_MS = const(60000)
# A bridge that has run for this long is taken for healthy again.
HEALTHY_MS = const(10000)

MAX_WAIT_MS = const(250)

# Receive space of a client, however short its longest line is. Otherwise it is that of two of the longest, up to
# RECEIVE_BYTES: with half as much the server asks for twice as many acknowledgements.
MIN_RECEIVE_BYTES = const(5200)
