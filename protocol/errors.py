"""The exceptions of the link.

    LinkError
     +-- LocalProtocolError    this side broke a rule of the core: a bug here
     +-- RemoteProtocolError   the other side's bytes broke the protocol
     |    +-- AuthenticationError   unknown id, wrong key, forged or replayed proof
     +-- LinkDown              the connection is gone: wait, then resume
     +-- Expired               a message was not accepted within its time limit
     +-- RequestFailed         the other end could not answer a request
     +-- RequestTimeout        no answer came in time
     +-- StoreError            the server's store refused a write

Bytes from outside never raise out of the core: its `receive` methods return
the fault as text, and the adapter that owns the connection raises
`RemoteProtocolError` at one place, logs it and closes. Bad arguments of the
application are the usual ValueError and TypeError.

A board needs two of them, which are in `link_errors.py`, one more if it uses channels: `channel_errors.py`, and two if
it uses requests: `requests.py`.
"""

from protocol.channel_errors import Expired  # noqa: F401
from protocol.link_errors import LinkDown, LinkError  # noqa: F401
from protocol.requests import RequestFailed, RequestTimeout  # noqa: F401


class LocalProtocolError(LinkError):
    pass


class RemoteProtocolError(LinkError):
    pass


class AuthenticationError(RemoteProtocolError):
    pass


class StoreError(LinkError):
    pass
