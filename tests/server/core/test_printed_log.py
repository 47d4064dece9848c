"""PrintedLog: what a program sees that runs the server by `run`."""

import ast
from pathlib import Path

import pytest

from server.core import events, printed_log
from server.core.events import CLOSED_HERE
from server.core.printed_log import PrintedLog

ROOT = Path(printed_log.__file__).parents[2]


def shown(capsys, *told, verbose=False):
    log = PrintedLog()
    log.verbose = verbose
    for event, client_id, details in told:
        log.note(event, client_id, details)
    return capsys.readouterr().out


COMES = ("connected", "a", {"peer": "here", "expected": True})
GOES = ("disconnected", "a", {"peer": "here", "reason": "silence"})


def test_who_comes_and_goes_is_printed_if_verbose_alone(capsys):
    assert shown(capsys, COMES, GOES) == ""
    assert shown(capsys, COMES, GOES, verbose=True) == "server: = a connected from here\nserver: ! here: silence\n"


def test_connection_that_was_closed_here_is_no_fault(capsys):
    assert shown(capsys, ("disconnected", "a", {"peer": "here", "reason": CLOSED_HERE}), verbose=True) == ""


def test_client_that_is_not_expected_is_printed_always(capsys):
    text = shown(capsys, ("connected", "b", {"peer": "here", "expected": False}))
    assert text == "server: b is not among the expected clients; served\n"


def told_in(path):
    """Yields (event, names of its details) of the calls of `tell` in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "").endswith(("tell", "tell_some")):
            name = node.args[0]
            value = getattr(events, name.id, None) if isinstance(name, ast.Name) else getattr(name, "value", None)
            if isinstance(value, str):
                yield value, [keyword.arg for keyword in node.keywords]


def test_every_text_is_of_an_event_that_is_told_with_these_details(capsys):
    found = dict(one for path in sorted((ROOT / "server/core").glob("*.py")) for one in told_in(path))
    for event in printed_log._TEXTS:
        details = ["count"] if event.endswith("_more") else found[event]
        text = shown(capsys, (event, "a", {name: f"<{name}>" for name in details}))
        assert text.startswith("server: ") and all(f"<{name}>" in text for name in details), (event, text)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_the_terminal_cannot_show_is_escaped(monkeypatch, encoding):
    lines = []

    def narrow(*words):
        " ".join(words).encode(encoding)
        lines.append(words)

    monkeypatch.setattr(printed_log, "print", narrow, raising=False)
    PrintedLog().note("store_gone", None, {"error": "\u20ac"})
    assert lines == [("server:", "\\u20ac")]


def test_line_about_a_frame_that_cannot_be_printed_costs_nothing(monkeypatch):
    def broken(*words):
        raise BrokenPipeError

    monkeypatch.setattr(printed_log, "print", broken, raising=False)
    PrintedLog().frame("< HELLO")


def test_no_name_commands_the_terminal_and_a_traceback_keeps_its_lines(capsys):
    evil = "a\x1b[2J\u202e"
    details = {"error": evil, "at": "x.py:1", "again_s": 1, "traceback": "Traceback\n  x\x1b\n"}
    text = shown(
        capsys,
        ("no_key", evil, {}),
        ("connected", evil, {"peer": "here", "expected": False}),
        ("disconnected", evil, {"peer": "here", "reason": evil}),
        ("handler_failed", evil, details),
        verbose=True,
    )
    lines = text.splitlines()
    assert all(line.isprintable() for line in lines) and len(lines) == 7
    assert lines[0].startswith("server: a\\x1b[2J\\u202e: the application waits") and lines[-1] == "  x\\x1b"
