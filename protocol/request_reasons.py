"""Why the client has not answered a request, as the server's programs tell it apart: `RequestFailed.reason`.

A FAILURE carries words for people. Those that no handler has raised are the client's own, and are listed here: the
words of an exception begin with its name, so they are never taken for these. No board needs this.
"""

RAISED = "raised"  # the handler has raised something
NO_HANDLER = "no handler"  # nobody answers requests on this channel of the client
INTERRUPTED = "interrupted"  # the handler was stopped, perhaps in the middle
RESTARTED = "restarted"  # the client was, perhaps while the handler ran

# What pb_link/requests.py and pb_link/channels.py send behind "channel N ".
NO_HANDLER_WORDS = (
    b"has no handler of requests at the client", b"has requests at the client", b"is used for messages at the client",
)  # fmt: skip
INTERRUPTED_WORDS = b"the handler was interrupted: the application was started again, or memory ran out"


def reason_of(data, channel):
    """Returns the reason of a FAILURE's bytes on this channel."""
    if data == INTERRUPTED_WORDS:
        return INTERRUPTED
    head = ("channel %d " % channel).encode()
    if data[: len(head)] == head and data[len(head) :] in NO_HANDLER_WORDS:
        return NO_HANDLER
    return RAISED
