"""What the door of SMBus over gRPC has to say: its events, and the lines of text that smbus-proxy has for them. Pure.

A door calls log(event, **details) with

| event | details |
|---|---|
| SESSION | what: "opened", "closed" or "expired"; session: its id; opened: bus, peer; expired: after_s |
| REFUSED | reason; what is known of: peer, path, bus, session, address |
| CALL | session, call: as smbus2 names it; address, register: if it has one; i2c_rdwr: messages |
| LISTENING | address |

address of a device and register are texts: "0x48".
"""

LISTENING = "smbus_listening"
SESSION = "smbus_session"
REFUSED = "smbus_refused"
CALL = "smbus_call"
OPENED, CLOSED, EXPIRED = "opened", "closed", "expired"

_WHERE = ("path", "bus", "address")


def line_of(event, *, session=None, what=None, **details):
    """Returns the line of text of an event."""
    if event == LISTENING:
        return "Server started"
    if event == SESSION:
        return {
            OPENED: "New client({session}) requests bus {bus}",
            CLOSED: "Client({session}) closes",
            EXPIRED: "No activity from client {session} since {after_s:g} sec delete it",
        }[what].format(session=session, **details)
    if event == REFUSED:
        who = f"Client({session})" if session else details.get("peer", "?")
        where = ", ".join(f"{name} {ascii(details[name])[1:-1]}" for name in _WHERE if name in details)
        return f"{who} refused{f' ({where})' if where else ''}: {details['reason']}"
    if "messages" in details:
        return f"Client({session}) {details['call']} {details['messages']}"
    register = f" register {details['register']}" if "register" in details else ""
    return f"Client({session}) {details['call']} at {details['address']}{register}"
