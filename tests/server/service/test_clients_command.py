"""`pb-link clients` and `nodes`: what is known of each client. Real servers: tests/peers/test_clients_of_nodes.py."""

import io
import sys
from types import SimpleNamespace

import pytest

from server.service.clients_command import merged, show_clients
from tests.server.service.test_cli import words


def counted(client_id, connected, connections=1):
    return {
        "id": client_id, "connected": connected, "connections": connections, "peer": "10.0.0.9:5", "since": 5.0,
        "lines_received": 7,
    }  # fmt: skip


def stored(client_id, node, connections=1):
    return {"id": client_id, "node": node, "connections": connections}


def only(rows, own, node="here"):
    (found,) = merged(rows, own, node)
    return {name: found[name] for name in ("node", "connected", "connections", "lines_received")}


def known(node, connections, received):
    return {"node": node, "connected": node is not None, "connections": connections, "lines_received": received}


def test_client_of_this_server_is_at_this_server_whatever_the_database_says_yet():
    for rows in ([], [stored("a", None)], [stored("a", "other", 4)]):
        assert only(rows, [counted("a", True, 5)]) == known("here", 5, 7)


def test_what_only_another_server_counts_is_unknown():
    assert only([stored("a", "other", 4)], [counted("a", False, 3)]) == known("other", 4, None)
    assert only([stored("a", "other", 4)], []) == known("other", 4, None)


def test_client_that_is_connected_nowhere_has_what_this_server_has_counted():
    assert only([stored("a", None, 4)], [counted("a", False, 3)]) == known(None, 4, 7)
    assert only([], [counted("a", False, 0)]) == known(None, 0, 7)


def test_clients_are_in_order():
    found = merged([stored("b", "other"), stored("d", None)], [counted("a", False), counted("c", True)], "here")
    assert [one["id"] for one in found] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("clients --store a.db", "of a file, its server is asked"),
        ("clients --store postgresql://127.0.0.1:1/x", "cannot be reached"),
        ("nodes", "only a database has several servers"),
        ("nodes --store postgresql://127.0.0.1:1/x", "cannot be reached"),
    ],
)
def test_what_cannot_be_known_is_said(tmp_path, monkeypatch, capsys, text, error):
    monkeypatch.chdir(tmp_path)
    status, _, said = words(text, capsys)
    assert status != 0 and error in said


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    "terminal, shown", [(True, ["\x1b[1mclient", "\x1b[32ma ", "\x1b[2mb "]), (False, ["client", "a ", "b "])]
)
def test_clients_that_are_there_are_green_in_a_terminal_and_nowhere_else(monkeypatch, terminal, shown):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Terminal() if terminal else io.StringIO())
    options, settings = SimpleNamespace(json=False, store=None), SimpleNamespace(store="pb_link.db")
    clients = [{**counted(one, one == "a"), "lines_acknowledged": 0} for one in ("a", "b")]
    assert show_clients(options, settings, lambda: {"clients": clients}) == 0
    lines = sys.stdout.getvalue().splitlines()
    assert len(lines) == 3 and all(line.startswith(begin) for line, begin in zip(lines, shown, strict=True))
    assert all(line.endswith("\x1b[0m") is terminal for line in lines)
