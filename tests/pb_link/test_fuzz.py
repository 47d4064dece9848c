"""A little of `make fuzz-client`, that its inputs get as far as they are meant to, and that it sees what goes wrong."""

import random

import pytest

from pb_link import requests
from protocol import channels
from protocol.channel_records import ANSWER
from tests.pb_link import fuzz

MICROPYTHON = False
MICROPYTHON_REASON = "uses pytest, and a program for CPython"


def test_no_server_gets_an_exception_or_a_wrong_answer_out_of_the_client(report_line):
    seed = random.SystemRandom().randrange(1 << 40)
    fuzz.run(400, seed)
    report_line(f"fuzz of the client: 400 inputs from seed {seed}")


def test_inputs_reach_open_channels_answers_handlers_and_faults():
    reached = fuzz.run(200, 1)
    assert min(reached[name] for name in ("records", "faults", "answers", "runs")) > 100, reached
    assert reached["renumbered"] > 5, reached


def test_calls_end_in_each_way(monkeypatch):
    ends = set()
    original = fuzz.Client.ended

    def ended(client, call):
        done = original(client, call)
        if done:
            ends.add("cancelled" if call.cancelled() else type(call.exception()).__name__)
        return done

    monkeypatch.setattr(fuzz.Client, "ended", ended)
    fuzz.run(200, 1)
    assert {"cancelled", "NoneType", "RequestFailed", "RequestTimeout", "TimeoutError"} <= ends


def found(message, error=fuzz.FoundError):
    with pytest.raises(error, match=message):
        fuzz.run(300, 1)


def test_answer_of_another_request_is_found(monkeypatch):
    """Whatever comes is given to whoever waits longest."""

    def hand_out(one):
        while (entry := one._channel.front(requests.ticks_ms())) is not None:
            kind = requests.call_of(entry)
            waiting = [name for name, answer in one._waiting.items() if answer is None]
            if kind == ANSWER and waiting:
                one._waiting[waiting[0]] = (kind, one._channel.front_data())
            one._accept()

    monkeypatch.setattr(requests.Requests, "_hand_out", hand_out)
    found("is no answer to|a good server cannot answer")


def test_handler_that_runs_twice_is_found(monkeypatch):
    original = requests.Requests._handled

    async def handled(one, data):
        if data == b"body":
            await original(one, data)
        return await original(one, data)

    monkeypatch.setattr(requests.Requests, "_handled", handled)
    found("a handler has got")


def test_answer_with_another_id_is_found(monkeypatch):
    original = requests.Requests._append_answer

    def append_answer(one):
        one._begun = one._begun[::-1]
        original(one)

    monkeypatch.setattr(requests.Requests, "_append_answer", append_answer)
    found("an answer has the id of another request")


def test_channel_that_the_server_opens_is_found(monkeypatch):
    original = channels.Channels.take_entry

    def take_entry(one, number, entry, new):
        one.open(number)
        return original(one, number, entry, new)

    monkeypatch.setattr(channels.Channels, "take_entry", take_entry)
    found("a channel that nobody has opened")


def test_record_that_is_too_short_for_its_type_is_found(monkeypatch):
    monkeypatch.setattr("protocol.channel_receiver.KNOWN_TYPES", 0xFF)
    monkeypatch.setattr("protocol.channel_receiver.size_of_fields", lambda kind: 0)
    found(".", Exception)


def test_memory_that_is_held_without_a_bound_is_found(monkeypatch):
    monkeypatch.setattr(fuzz, "RECEIVE_BYTES", 300)
    monkeypatch.setattr(fuzz, "MAX_LINE", 0)
    found("bytes are held of channel")


def test_client_that_stops_handing_out_is_found(monkeypatch):
    """It stops at what it has been sent on a channel of other things."""
    original = requests.Requests._hand_out

    def hand_out(one):
        entry = one._channel.front(requests.ticks_ms())
        if entry is None or requests.call_of(entry) == ANSWER:
            original(one)

    monkeypatch.setattr(requests.Requests, "_hand_out", hand_out)
    found("a good server cannot answer")
