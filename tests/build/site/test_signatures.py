"""Signatures come from the stubs."""

import pytest

from build.site.signatures import Stubs
from build.tools.cache import ROOT

STUB = """
from collections.abc import Coroutine
from typing import Any
def run(keys: str, *, host: str = "0.0.0.0") -> None: ...
class Link:
    def __init__(self, name: str) -> None: ...
    async def read(self, timeout_ms: int | None = None) -> str: ...
    def write(self, line: str) -> Coroutine[Any, Any, int]: ...
    @staticmethod
    def close_all() -> None: ...
"""


@pytest.fixture
def stubs(tmp_path):
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "__init__.pyi").write_text(STUB)
    return Stubs(tmp_path, {"link.inner": "link", "link.parts.Reader": "link.Link"})


def test_arguments_have_their_types_and_defaults(stubs):
    assert stubs.signature("link", "run") == ("(keys: str, *, host: str='0.0.0.0')", "None")
    assert stubs.signature("link", "Link") == ("(name: str)", None)
    assert stubs.signature("link", "Link.read") == ("(timeout_ms: int | None=None)", "str")
    assert stubs.signature("link", "Link.close_all") == ("()", "None")


def test_coroutine_gives_what_awaiting_it_gives(stubs):
    assert stubs.signature("link", "Link.write") == ("(line: str)", "int")
    assert stubs.signature("link", "Link.write") == ("(line: str)", "int")  # nothing was changed by the first


def test_stub_of_another_module_may_have_the_names(stubs):
    assert stubs.signature("link.inner", "run") == stubs.signature("link", "run")
    assert stubs.signature("link.parts", "Reader.read") == stubs.signature("link", "Link.read")
    assert stubs.has("link.parts", "Reader.gone") is False


def test_what_no_stub_has_is_left_to_the_module(stubs):
    assert stubs.signature("link", "gone") is None and stubs.signature("nowhere", "run") is None
    assert stubs.signature("link", "Link.gone") is None


def test_members_that_the_stub_of_a_class_lacks_are_known(stubs):
    assert stubs.has("link", "Link.read") and stubs.has("link", "Link.gone") is False
    assert stubs.has("link", "Gone.read") is None and stubs.has("nowhere", "Link.read") is None
    assert stubs.has("link", "run") is None


def test_stubs_of_the_project_are_found():
    assert Stubs(ROOT).signature("pb_link.app_base", "AppBase.write") == (
        "(line: str, qos: bool=True, wait: bool=True)", "None",
    )  # fmt: skip
