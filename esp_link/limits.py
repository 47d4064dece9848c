"""The bridge's times and bounds, in one place, with their reasons."""

try:
    from micropython import const
except ImportError:

    def const(value):
        return value


# The mailbox is looked at this often when nothing asks for it: a beat for the
# client, and what a lost syn edge costs.
IDLE_POLL_MS = const(1000)
# and this often while transfers move or have just moved.
BUSY_POLL_MS = const(250)
BUSY_FOR_MS = const(2000)
# Nothing answered on the bus: the client boots, or is not there.
ABSENT_POLL_MS = const(200)
# A transfer that the client has not confirmed is written again after this.
REWRITE_MS = const(100)
# The client's beat changes every 500 ms; this long without a change, and the
# bridge says no longer to the server that the client is there.
CLIENT_SILENT_MS = const(3000)

HOUSEKEEPING_MS = const(50)

# One attempt to join a network, and the pause after a failed round.
WIFI_JOIN_MS = const(15000)
WIFI_RETRY_MS = const(2000)
WIFI_POLL_MS = const(100)
# An attempt that has not begun by then will not: nothing is stored.
WIFI_IDLE_MS = const(1000)

CONNECT_MS = const(8000)
# Between two connections: the first pause, doubled after each failure or
# short connection up to the last.
RECONNECT_FIRST_MS = const(250)
RECONNECT_LAST_MS = const(4000)
# A connection that lasted this long was a good one.
GOOD_CONNECTION_MS = const(5000)

# A task that has not shown itself for this long is taken for hung.
TASK_HUNG_MS = const(5000)
UPLINK_HUNG_MS = const(60000)

# Control records that wait for the client; the oldest report gives way.
MAX_CONTROLS = const(8)
