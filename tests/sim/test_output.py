"""The simulator's own output: who reads it no more ends the run, and what it cannot encode is escaped."""

import io
import os
import sys

from sim import output


class Lost(io.StringIO):
    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")


def test_first_failure_to_print_is_told_and_the_others_go_nowhere():
    lost, told = Lost(), []
    file = output.Output(lost, told.append)
    print("one", file=file, flush=True)
    assert [type(error) for error in told] == [BrokenPipeError]


def test_descriptor_that_is_lost_takes_the_rest_and_fails_no_more():
    there, here = os.pipe()
    os.close(there)
    told = []
    with open(here, "w") as file:
        watched = output.Output(file, told.append)
        for _ in range(2):
            print("line", file=watched, flush=True)
        assert len(told) == 1 and watched.fileno() == here


def test_what_is_printed_in_a_run_is_that_of_both_files(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", Lost())
    with output.watched(told.append):
        print("shown")
        assert not told
        print("lost", file=sys.stderr)
    assert len(told) == 1 and sys.stdout.getvalue() == "shown\n" and isinstance(sys.stderr, Lost)


def test_closed_files_are_left_alone(monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    output.escape()
    with output.watched(None):
        print("to nobody")


def test_characters_that_an_encoding_lacks_are_escaped(monkeypatch):
    data = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(data, "ascii"))
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    output.escape()
    print("21 °C →", flush=True)
    assert data.getvalue() == b"21 \\xb0C \\u2192\n"
