"""What needs a person is said once, in words, where that person looks: a server that is none, a refusal, a network."""

import asyncio

import pytest

from sim.virtual.apps import WIFI_PASSWORD, Pace
from sim.virtual.network import ADDRESS, NO_NAME
from sim.wires import wifi
from tests.sim.virtual.test_no_server import TOLD, UP, Run, end_after

PLACE = ADDRESS + ":8123"


async def closing(reader, writer):
    writer.close()


async def silent(reader, writer):
    await reader.read()


async def http(reader, writer):
    await reader.read(100)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    writer.close()


async def greeting(reader, writer):
    writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
    await reader.read()


async def zeros(reader, writer):
    """What keeps a connection alive, and nothing else."""
    while True:
        writer.write(bytes(2))
        await asyncio.sleep(0.5)


async def echo(reader, writer):
    """It sends back what it gets: a preamble that is no frame."""
    while data := await reader.read(100):
        writer.write(data)


async def short_frame(reader, writer):
    """What could be a frame, and is no WELCOME."""
    writer.write(b"\0\3abc")
    await reader.read()


def program(handler):
    """The main coroutine function of a program that is no pb_link server."""

    async def main():
        await asyncio.start_server(handler, "0.0.0.0", 8123)
        await asyncio.Event().wait()

    return main


def said(one):
    """What the client prints about the link, without `verbose`."""
    return [line for _, line in one.printed if line.startswith("pb_link: ")]


PROGRAMS = [
    (closing, PLACE + " closes each connection without a word"),
    (silent, PLACE + " takes connections and does not answer"),
    (http, PLACE + " answers, but is no pb_link server"),
    (greeting, PLACE + " answers, but is no pb_link server"),
    (echo, PLACE + " answers, but is no pb_link server"),
    (zeros, PLACE + " takes connections and does not answer"),
    (short_frame, PLACE + " for the id 'virtual': not a WELCOME"),
]


@pytest.mark.parametrize(("handler", "words"), PROGRAMS, ids=[handler.__name__ for handler, _ in PROGRAMS])
def test_program_that_is_no_server_is_named_once_in_words_and_the_hook_is_called(handler, words):
    one = Run(ADDRESS)
    one.link._server_main = program(handler)
    end_after(one, 120)
    assert len(said(one)) == 1 and words in said(one)[0], one.printed
    assert len(one.times(TOLD)) == 1 and one.times(TOLD)[0] < 60 and not one.times(UP) and one.healthy()


NOBODY = [
    ("server", "nobody listens at server:8123"),
    ("10.0.0.7", "10.0.0.7:8123 does not answer"),
    ("server" + NO_NAME, "no address is known for server.invalid"),
    ("10.0.0.999", "no address is known for 10.0.0.999"),
]


@pytest.mark.parametrize(("server", "words"), NOBODY, ids=["nobody", "no machine", "no name", "no address"])
def test_server_that_is_not_there_is_named_once_in_words(server, words):
    one = Run(server, serving=False)
    end_after(one, 120)
    assert len(said(one)) == 1 and words in said(one)[0], one.printed
    assert len(one.times(TOLD)) == 1


def test_name_server_that_does_not_answer_is_named_once_in_words():
    one = Run()
    one.link.tcp.answers_names = False
    end_after(one, 120)
    assert len(said(one)) == 1 and "name server does not answer, so the address of server" in said(one)[0]


NETWORKS = [
    (None, "there is no Wi-Fi network 'virtual'"),
    (wifi.Network("virtual", "another"), "the Wi-Fi network 'virtual' refuses the password"),
    (wifi.Network("virtual", WIFI_PASSWORD, addresses=False), "joining the Wi-Fi network 'virtual' takes too long"),
]


@pytest.mark.parametrize(("network", "words"), NETWORKS, ids=["none", "password", "no address"])
def test_network_that_cannot_be_joined_is_named_once_in_words(network, words):
    one = Run()
    one.link.air.networks = (network,) if network else ()
    end_after(one, 200)
    assert len(said(one)) == 1 and words in said(one)[0], one.printed
    assert len(one.times("! Wi-Fi could not be joined")) == 1


def test_later_outage_is_named_once_and_again_with_the_next_one():
    """The server is away twice: the hook is for the first connection only, the words are not."""
    one = Run(lines=400, pace=Pace(1000, 0.5, 0.5))
    run = one.run
    for seconds in (20, 60):
        run.world.after(seconds, one.link.kill_server)
        run.world.after(seconds + 15, one.start_server)
    end_after(one, 100)
    assert [line.partition(":")[2] for line in said(one)] == [said(one)[0].partition(":")[2]] * 2, one.printed
    assert "nobody listens at server:8123" in said(one)[0] and one.times(TOLD) == [] and len(one.times(UP)) == 3


def test_key_that_is_changed_later_is_named_once():
    one = Run(lines=400, pace=Pace(1000, 0.5, 0.5))
    run, job = one.run, one.run.job

    def change():
        job._key = "ab" * 32
        one.link.kill_server()
        one.start_server()

    run.world.after(20, change)
    end_after(one, 200)
    refusals = [line for line in said(one) if "refused" in line]
    assert len(refusals) == 1 and "server:8123 for the id 'virtual': refused: unknown id or wrong key" in refusals[0]
    assert len(said(one)) <= 2 and one.times(TOLD) == []
