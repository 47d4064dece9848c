"""pb_link.server in the checkout: the facade of the package server."""

import pb_link.server
import server


def test_facade_has_all_that_the_server_has():
    assert pb_link.server.__all__ == server.__all__
    names = [*server.__all__, "SQLiteStore"]
    assert all(getattr(pb_link.server, name) is getattr(server, name) for name in names)
