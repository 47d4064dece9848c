"""`Ownership`: whether this process owns a client's state in the store, and which of several handshakes is the last.

The store's number of the owner (store.py) orders the handshakes of all servers: each connection raises it, by a claim
or by renewing the claim, and a proof is good only for the number that was there before its WELCOME. The handshakes of
one process are ordered by serial numbers as well, so that two of them under way do not fail each other.
docs/protocol.md section 5, *Late proofs*, has the argument.
"""

from collections import namedtuple

from protocol.errors import RemoteProtocolError, StoreError
from server.core.store import Fenced

# The server's state when it sent a WELCOME: serial number of the client's WELCOME; owner in the store; epoch told.
Welcome = namedtuple("Welcome", ("serial", "owner", "epoch"))


class LateProof(RemoteProtocolError):
    """Raised for a proof that answers a WELCOME from before the client's last connection."""


class Ownership:
    """Args: on_fault: function (exception), called when the store refuses what this process owned."""

    def __init__(self, client_id, on_fault):
        self._client_id = client_id
        self._on_fault = on_fault
        self._store = None
        self._claimed = 0  # number of the owner, as the last claim returned it
        self._number = 0  # and as it is after this process has renewed that
        self._welcomes = 0  # WELCOMEs sent, proven or not
        self._attached = 0  # serial number of the WELCOME of the connection attached last

    async def welcome(self, store):
        """Returns the Welcome for a peer that has not yet authenticated as this client. Raises: StoreError."""
        try:
            owner, epoch = await store.peek(self._client_id)
        except Exception as error:  # a store may raise any exception
            raise _failed(error)
        self._welcomes += 1
        return Welcome(self._welcomes, owner, epoch)

    async def claim(self, store):
        """Returns the ClientState that is claimed, whoever owns it. Raises: StoreError."""
        try:
            return await store.claim(self._client_id)
        except Exception as error:  # as above
            raise _failed(error)

    async def prove(self, store, welcome, valid):
        """The client has proved itself with this Welcome: own it. valid: this process has owned it until now, as far as
        it knows. Returns: the ClientState if it is claimed anew, else None. Raises: LateProof, StoreError."""
        self._check_order(welcome)
        try:
            # All numbers from the one before the claim on are of this process: no other one has come in between.
            if valid and self._claimed - 1 <= welcome.owner <= self._number:
                await self._renew(store)
                return None
            return await store.claim(self._client_id, (welcome.owner, welcome.epoch))
        except Fenced:
            raise LateProof("late proof: another server has claimed this client since its WELCOME")
        except Exception as error:  # as above
            raise _failed(error)

    async def _renew(self, store):
        self._number += 1  # at once: a call that is cancelled may take effect all the same
        try:
            self._number = await store.renew(self._client_id, self._claimed)
        except Exception as error:  # as above
            self._on_fault(error)
            raise

    def begin(self, store, state):
        """Go on with a newly claimed state. Returns True if another process has owned it since this one did."""
        was_elsewhere = store is self._store and state.owner > self._number + 1
        self._store = store
        self._claimed = self._number = state.owner
        return was_elsewhere

    def attach(self, welcome):
        """A connection with this Welcome is attached. Raises: LateProof: a later one was."""
        self._check_order(welcome)
        self._attached = welcome.serial

    def _check_order(self, welcome):
        if welcome.serial < self._attached:
            raise LateProof("late proof of an earlier handshake")

    def is_over(self, owner):
        """Returns True if an owner with this number is another process."""
        return owner > self._number


def _failed(error):
    return StoreError("the store failed: %s" % error)
