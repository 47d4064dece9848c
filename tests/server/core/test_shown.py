"""What is shown to a person: no terminal and no shell is commanded by a name in it."""

import shlex
import subprocess

import pytest

from server.core import shown
from server.core.shown import harmless, quoted

NAMES = ["pump", "my pump", "it's", "", "a;rm -rf x", "$(id)", "`id`", "-x", "\u00e4 \u20ac", 'two "words"', "a\\b"]
EVIL = ["\x1b[2J", "a\x9bb'\\n", "a\u202eb", "\x07", "\u2028", "\U000e0001x"]


@pytest.mark.parametrize("name", NAMES + EVIL)
def test_quoted_name_is_one_word_of_a_shell(name):
    command = ["bash", "-c", "printf %s " + quoted(name)]
    done = subprocess.run(command, capture_output=True, env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})
    assert done.stdout.decode() == name
    assert quoted(name).isprintable()


def test_name_that_needs_no_quotes_has_none():
    assert [quoted(name) for name in ("pump", "/etc/pb_link.toml", "a-1")] == ["pump", "/etc/pb_link.toml", "a-1"]
    assert [shlex.split(quoted(name)) for name in NAMES] == [[name] for name in NAMES]


@pytest.mark.parametrize("name", EVIL)
def test_control_characters_are_escaped_and_nothing_else(name):
    assert harmless(name).isprintable()
    assert harmless("\u00e4 \u20ac") == "\u00e4 \u20ac" and harmless("a\nb\x1b", keep="\n") == "a\nb\\x1b"


@pytest.mark.parametrize("name", ["\x1b[2J", "a\x9bb", "a\u202eb", "\x07", "\u2028", "\ufeff"])
def test_interpreter_without_isprintable_escapes_them_too(name, monkeypatch):
    monkeypatch.setattr(shown, "hasattr", lambda *words: False, raising=False)
    assert harmless(name).isprintable()
    assert harmless("\u00e4 \u20ac") == "\u00e4 \u20ac"
