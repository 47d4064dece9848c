"""Docstrings are shown as they are meant: text, code, arguments, examples."""

import inspect

from build.site.docstrings import inline, to_rest
from pb_link.app_base import AppBase


def rest(docstring):
    return to_rest(inspect.cleandoc(docstring).split("\n"))


def test_code_and_pages_are_code_and_nothing_else_is_markup():
    shown = inline("`write` *args, a|b, _private and bad_ of docs/client.md")
    assert shown == r"``write`` \*args, a\|b, \_private and bad\_ of ``docs/client.md``"


def test_example_is_a_literal_block():
    found = rest("""Run it:

        await write(`x`)

    Then stop.""")
    assert found == ["Run it:", "", "::", "", "        await write(`x`)", "", "Then stop.", ""]


def test_arguments_are_a_list_whatever_their_indentation():
    for indent in ("", "    "):
        docstring = f"Do it.\n\nArgs:\n{indent}a_ms: int, so\n{indent}    long.\n{indent}b, c: `str`."
        assert rest(docstring) == ["Do it.", "", "* ``a_ms``: int, so long.", "* ``b``, ``c``: ``str``.", ""]


def test_arguments_on_one_line_are_a_list():
    assert rest("Run.\n\nArgs: watchdog: an object.") == ["Run.", "", "* ``watchdog``: an object.", ""]


def test_value_of_an_argument_is_not_an_argument():
    found = rest("Args:\n    qos: True: once.\n        False: at most once.\n    wait: so.")
    assert found == ["* ``qos``: True: once. False: at most once.", "* ``wait``: so.", ""]


def test_arguments_of_another_call_are_a_sentence():
    found = rest("Do.\n\nArgs: as in `write`. With qos it\n    waits.")
    assert found == ["Do.", "", "Arguments: as in ``write``. With qos it waits.", "", ""]


def test_word_and_colon_within_a_sentence_are_no_argument():
    assert rest("It may not wait for\nlong: it is damaged.")[0] == "It may not wait for long: it is damaged."
    assert rest("It waits.\ntimeout_ms: so long.") == ["It waits.", "", "``timeout_ms``: so long.", ""]


def test_what_is_raised_is_a_paragraph():
    found = rest("Wait. Long.\nRaises: OSError; ValueError.\n\nArgs: x: it.\nReturns y.\nRaises: KeyError.")
    assert found == [
        "Wait. Long.", "", "Raises: OSError; ValueError.", "",
        "* ``x``: it.", "", "Returns y.", "", "Raises: KeyError.", "",
    ]  # fmt: skip


def test_nothing_of_a_real_docstring_is_lost():
    docstring = inspect.getdoc(AppBase.write)
    shown = " ".join(rest(docstring)).replace("`", "").replace("\\", "").replace("* ", "")
    assert shown.split() == docstring.replace("Args:", "").replace("`", "").split()
