"""This project's docstrings as reStructuredText, for autodoc.

They are plain English with backquotes around code, an indented example, and "Args:" with a name a line. Nothing in them
is meant as markup, so an asterisk or an underscore stays what it is.
"""

import re

ITEM = re.compile(r"\s*([a-z_]\w*(?:, \w+)*): +(.*)")
CODE = re.compile(r"`([^`]+)`|(\bdocs/[\w-]+\.md)\b")
MARKUP = re.compile(r"([\\*|]|_(?!\w)|(?<!\w)_(?=\w))")


def inline(text):
    """Returns a piece of a docstring as reST: code between backquotes, and a page, are code; all else is text."""
    found, end = [], 0
    for match in CODE.finditer(text):
        found += [MARKUP.sub(r"\\\1", text[end : match.start()]), f"``{match[1] or match[2]}``"]
        end = match.end()
    return "".join([*found, MARKUP.sub(r"\\\1", text[end:])])


def _blocks(lines):
    """Returns the runs of lines between empty ones."""
    found, block = [], []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            found.append(block)
            block = []
    return found


def _items(lines):
    """Returns [name, text] of each item of "Args:", of "" what stands before the first one."""
    items = []
    for line in lines:
        match = ITEM.fullmatch(line)
        if match:
            items.append([match[1], match[2]])
        elif items:
            items[-1][1] += " " + line.strip()
        elif line.strip():
            items.append(["", line.strip()])
    return items


def _arguments(block):
    first = block[0].split("Args:", 1)[1]
    lines = []
    for name, text in _items([first, *block[1:]] if first.strip() else block[1:]):
        named = ", ".join(f"``{one}``" for one in name.split(", ") if one)
        lines += [f"* {named}: {inline(text)}"] if name else [f"Arguments: {inline(text)}", ""]
    return lines


def _paragraphs(block):
    """Yields the lines of a paragraph; what is raised, and a name at its beginning, become ones of their own."""
    paragraph = []
    for line in block:
        text = line.strip()
        ended = paragraph and paragraph[-1].endswith((".", ":", ";"))
        if paragraph and (text.startswith(("Raises:", "Returns ")) or ended and ITEM.fullmatch(text)):
            yield paragraph
            paragraph = []
        paragraph.append(text)
    yield paragraph


def _paragraph(lines):
    text = " ".join(lines)
    match = ITEM.fullmatch(text)
    if match:
        return f"``{match[1]}``: {inline(match[2])}"
    return inline(text)


def to_rest(lines):
    """Returns the lines of a docstring, whose indentation is taken off already, as lines of reST."""
    found = []
    for block in _blocks(lines):
        before = next((index for index, line in enumerate(block) if line.lstrip().startswith("Args:")), len(block))
        if all(line.startswith("    ") for line in block):
            found += ["::", "", *("    " + line for line in block), ""]
            continue
        for paragraph in _paragraphs(block[:before]) if before else ():
            found += [_paragraph(paragraph), ""]
        if before < len(block):
            found += [*_split_raises(block[before:]), ""]
    return found


def _split_raises(block):
    """The items of "Args:", and what is raised or returned behind them as paragraphs."""
    end = next((at for at, line in enumerate(block) if at and line.startswith(("Raises:", "Returns "))), len(block))
    found = _arguments(block[:end])
    for paragraph in _paragraphs(block[end:]):
        found += ["", _paragraph(paragraph)] if paragraph else []
    return found
