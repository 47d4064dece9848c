"""The pages as Sphinx is to see them: links where a page names another, and the lists of the first page as its tree.

The files stay plain Markdown, as a repository shows them: a page is named as `docs/client.md`, between backquotes.
"""

import re

PAGE = re.compile(r"docs/([\w/-]+)\.md")
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
ENTRY = re.compile(r"^- \[[^\]]+\]\(([\w/-]+)\.(?:md|rst)\)", re.MULTILINE)


def page_named(text):
    """Returns the name of the page that a piece of code names, "client" of "docs/client.md", or None."""
    match = PAGE.fullmatch(text)
    return match and match[1]


def dark_twin(uri):
    """Returns the address of a picture's twin for dark pages, or None if it has none: both are in docs/pictures/."""
    return uri.removesuffix("-light.svg") + "-dark.svg" if uri.endswith("-light.svg") else None


def with_tree(text, others=()):
    """Returns the first page with a hidden toctree for each of its lists: its sections are those of the site.

    others: names of pages, of which those that no list has are the last section's.
    """
    parts = SECTION.split(text)
    found, listed = [parts[0]], set()
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        entries = ENTRY.findall(body)
        listed.update(entries)
        found.append(f"## {title}{body.rstrip()}\n\n{_tree(title, entries)}")
    return "\n".join([*found, _tree("More", [name for name in others if name not in listed])])


def _tree(title, entries):
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {title}", "", *entries, "```", ""]) if entries else ""
