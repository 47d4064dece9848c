"""The OpenAPI document: it has the routes and their roles, and the server answers as it says."""

import asyncio
import threading

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from server.gateways.web.api import API
from server.gateways.web.buses import Buses
from server.gateways.web.gateway import routes
from server.gateways.web.login import Login
from server.gateways.web.openapi import DOCUMENT
from tests.patience import PATIENCE_S
from tests.sample import all_or
from tests.server.gateways.host import make_host
from tests.server.gateways.web.bed import Fleet, served, served_test

MANY = settings(
    deadline=None, max_examples=all_or(8, 100), phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip


def operations():
    """Returns {(method, path): operation} of the document."""
    return {(method.upper(), path): one for path, item in DOCUMENT["paths"].items() for method, one in item.items()}


def test_document_has_the_routes_and_no_others():
    api = API(make_host(registry=Fleet()), None, None, None, None, None, Buses([], None))
    login = Login(None, "", None)
    known = {(one.method, one.path): one for one in routes(api, login)}
    assert known.keys() == operations().keys()
    for name, route in known.items():
        open_to_all = operations()[name].get("security") == []
        assert open_to_all == (route.role is None), name
        assert open_to_all or "401" in operations()[name]["responses"], name


def test_document_is_served_to_those_who_are_not_logged_in(tmp_path):
    async def test(found):
        assert (await found.browser().get("/api/openapi.json")).json == DOCUMENT

    served_test(tmp_path, test)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """(base address, token of an administrator) of a server in a thread."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    made = {}

    async def serve():
        async with served(tmp_path_factory.mktemp("web"), Fleet("pump", "valve")) as found:
            made.update(base="http://%s:%d" % found.gateway.address, token=found.tokens["administer"])
            made["end"] = asyncio.Event()
            ready.set()
            await made["end"].wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(PATIENCE_S)
    yield made["base"], made["token"]
    loop.call_soon_threadsafe(made["end"].set)
    thread.join()
    loop.close()


SCHEMA = schemathesis.openapi.from_dict(DOCUMENT).exclude(path="/api/events")  # a stream has no end


@pytest.mark.parametrize("name", sorted(set(operations()) - {("GET", "/api/events")}), ids=" ".join)
def test_server_answers_as_the_document_says(server, name):
    base, token = server
    method, path = name
    operation = SCHEMA[path][method]

    @MANY
    @given(data=st.data())
    def ask(data):
        case = data.draw(operation.as_strategy())
        response = case.call(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_S)
        assert response.status_code < 500, response.text
        case.validate_response(response)

    ask()
