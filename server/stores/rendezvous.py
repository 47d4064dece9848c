"""Which of several databases a client's lines are in: the one with the highest number for it (rendezvous hashing).

The number of a database for a client is made of the first 8 bytes, the most significant first, of the SHA-256 of

    the database's id, a space, and the client's id, as UTF-8.

Of equal numbers, which nobody will see, that of the greater id counts. So each database has about its equal part of the
clients; when one is added, only the clients move that go to it; and when one is taken away, only those that were in it.

Source: D. Thaler, C. Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996.
"""

import hashlib
from functools import lru_cache

KEPT = 65536  # placements of clients in RAM


class Placement:
    """Args: ids: of the databases, str, different ones."""

    def __init__(self, ids):
        self.ids = sorted(ids)
        self._begun = [(hashlib.sha256(f"{one} ".encode()), one) for one in self.ids]
        self.of = lru_cache(KEPT)(self._of)

    def _of(self, client_id):
        """Returns the id of the database for this client."""
        name = client_id.encode("utf-8", "surrogatepass")  # what is no id is refused by the store
        found = []
        for begun, one in self._begun:
            digest = begun.copy()
            digest.update(name)
            found.append((digest.digest()[:8], one))
        return max(found)[1]
