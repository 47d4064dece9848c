"""Places for requests that wait."""

import pytest

from server.gateways.web.places import Places
from server.gateways.web.routes import Failure


def test_places_are_bounded_and_come_back():
    places = Places(2, "requests")
    with places.taken(), places.taken():
        with pytest.raises(Failure, match="2 requests wait already") as failure, places.taken():
            pass
        assert failure.value.status == 503 and failure.value.headers == {"Retry-After": "10"}
    with pytest.raises(KeyError), places.taken():
        raise KeyError
    with places.taken(), places.taken():
        pass
