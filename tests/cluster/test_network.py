"""A wire that is pulled says nothing to anybody, and what was lost is sent again."""

import socket
import subprocess
import sys

import pytest

from tests.cluster.network import Network
from tests.patience import PATIENCE_S

ECHO = """
import socket
listener = socket.create_server(("", 4321))
print("listening", flush=True)
while True:
    connection = listener.accept()[0]
    while data := connection.recv(4096):
        connection.sendall(data)
"""
SHORT_S = 0.3  # nothing comes in that time, where nothing can


@pytest.fixture
def network():
    why = Network.why_not()
    if why:
        pytest.skip(why)
    network = Network(2)
    yield network
    network.remove()


@pytest.fixture
def echo(network):
    """Provides a connection to a program at the first wire's end."""
    command = network.wires[0].command([sys.executable, "-c", ECHO])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "listening\n"
        with socket.create_connection((network.wires[0].address, 4321), PATIENCE_S) as connection:
            yield connection
        process.kill()


def answer(connection, length):
    connection.settimeout(PATIENCE_S)
    found = b""
    while len(found) < length:
        found += connection.recv(length - len(found))
    return found


def test_what_a_pulled_wire_loses_comes_when_it_is_plugged(network, echo):
    echo.sendall(b"before")
    assert answer(echo, 6) == b"before"
    network.wires[0].pull()
    echo.sendall(b"lost")
    echo.settimeout(SHORT_S)
    with pytest.raises(TimeoutError):
        echo.recv(4)
    network.wires[0].plug()
    assert answer(echo, 4) == b"lost"


def test_slow_wire_passes_all(network, echo):
    network.wires[0].slow()
    data = bytes(range(256)) * 128
    echo.sendall(data)
    assert answer(echo, len(data)) == data
    network.wires[0].plug()
    network.wires[0].plug()  # once more changes nothing


def test_nodes_reach_the_test_and_one_another(network):
    for target in (network.address, network.wires[1].address):
        program = f"import socket; socket.create_connection(({target!r}, 1), {PATIENCE_S})"
        command = network.wires[0].command([sys.executable, "-c", program])
        said = subprocess.run(command, capture_output=True, text=True).stderr
        assert "ConnectionRefused" in said  # by the one that was reached


def test_two_networks_have_addresses_of_their_own(network):
    other = Network(1)
    other.remove()
    assert other.address != network.address
