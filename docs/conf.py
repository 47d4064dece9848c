"""Sphinx's settings for the site: `make docs`. What they use of this project is in build/site/."""

import sys
from pathlib import Path

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx import addnodes

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from build.site import docstrings, pages  # noqa: E402
from build.site.signatures import Stubs  # noqa: E402
from protocol.version import RELEASE, release_text  # noqa: E402

project = "pb_link"
author = "The pb_link developers"
release = release_text(RELEASE)
extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_heading_anchors = 3
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_mock_imports = ["machine", "pyb"]
html_theme = "furo"
html_title = f"pb_link {release}"
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}  # they would lead to a public repository

# What users import, and whose stub has its names.
STUBS = Stubs(
    ROOT,
    {
        "pb_link.server": "server", "server.core.connection": "server", "server.core.server": "server",
        "server.core.outgoing.Calls": "server.Connection",
        "pb_link.channels.ClientChannel": "pb_link.app_base._Channel",
    },
)  # fmt: skip


def signature_of_stub(app, what, name, obj, options, arguments, returned):
    module = getattr(obj, "__module__", None) or ""
    inner = getattr(obj, "__qualname__", name)
    return STUBS.signature(module, inner) or (arguments, returned)


def leave_out(app, what, name, obj, skip, options):
    """Leave out what the stub of a class does not have: it is no user's."""
    obj = obj.fget if isinstance(obj, property) else obj
    module, inner = getattr(obj, "__module__", None) or "", getattr(obj, "__qualname__", "")
    return True if STUBS.has(module, inner) is False else None


def docstring_as_rest(app, what, name, obj, options, lines):
    lines[:] = docstrings.to_rest(lines)


def first_page(app, name, source):
    if name == "index":
        others = sorted(app.env.found_docs - {name})
        source[0] = pages.with_tree(source[0], others)


def link_pages(app, doctree):
    """Make a link of each page that is named between backquotes."""
    for code in list(doctree.findall(nodes.literal)):
        name = pages.page_named(code.astext())
        if name and not isinstance(code.parent, (nodes.reference, addnodes.pending_xref)):
            link = addnodes.pending_xref(
                "", reftype="doc", refdomain="std", reftarget=f"/{name}", refexplicit=True, refwarn=True,
                refdoc=app.env.docname,
            )  # fmt: skip
            link += nodes.literal(text=code.astext())
            code.replace_self(link)


def pair_pictures(app, doctree):
    """Put the dark twin of a picture beside it: the theme's classes show one of them."""
    for picture in list(doctree.findall(nodes.image)):
        twin = pages.dark_twin(picture["uri"])
        if twin:
            dark = picture.deepcopy()
            dark["uri"] = twin
            dark["classes"].append("only-dark")
            picture["classes"].append("only-light")
            picture.parent.insert(picture.parent.index(picture) + 1, dark)


def setup(app):
    app.add_lexer("hex", TextLexer)  # frames, byte by byte: docs/protocol.md
    app.connect("autodoc-process-signature", signature_of_stub)
    app.connect("autodoc-skip-member", leave_out)
    app.connect("autodoc-process-docstring", docstring_as_rest)
    app.connect("source-read", first_page)
    app.connect("doctree-read", link_pages)
    app.connect("doctree-read", pair_pictures, priority=400)  # before Sphinx collects the pictures
