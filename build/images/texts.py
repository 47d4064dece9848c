"""The texts of a joined module as one: a board has an object and an entry in a table for each.

Only texts of exceptions that are raised, and those that `%`, `+` or `format` make others of: where one is used, memory
is allocated anyway. So nothing that works without memory needs any. And texts that functions of some modules return:
their callers treat a lack of memory as they treat such a fault.
"""

import ast

MIN_CHARACTERS = 11  # a shorter one is a name for MicroPython: it has no object
_END = "\n"


class Texts:
    """Gathers the texts of sources. Args: whole: name of the text that has them all; part: name of the function that
    takes one out of it."""

    def __init__(self, whole, part):
        self._whole, self._part = whole, part
        self._places = {}  # text: where it begins
        self._size = 0

    def taken_from(self, source, returned=False):
        """Returns the source, in as many lines, with calls of the function in the place of its texts. returned: those
        that functions return as well."""
        lines = source.encode().split(b"\n")
        found = _texts(ast.parse(source), returned)
        for node in sorted(found, key=lambda node: (node.lineno, node.col_offset), reverse=True):
            first, last = node.lineno - 1, node.end_lineno - 1
            call = f"{self._part}({self._place(node.value)}{_END * (last - first)})".encode()
            lines[first : last + 1] = (
                lines[first][: node.col_offset] + call + lines[last][node.end_col_offset :]
            ).split(b"\n")
        return b"\n".join(lines).decode()

    def lines(self):
        """Returns the lines that define text and function; none if there is no text."""
        if not self._places:
            return []
        whole = "".join(text + _END for text in self._places)
        return [
            f"{self._whole} = {whole!r}",
            f"def {self._part}(at): return {self._whole}[at:{self._whole}.find({_END!r}, at)]",
        ]

    def _place(self, text):
        if text not in self._places:
            self._places[text] = self._size
            self._size += len(text) + len(_END)
        return self._places[text]


def _texts(tree, returned):
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mod, ast.Add)):
            found += node.left, node.right
        elif isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            found += node.exc.args
        elif isinstance(node, ast.Attribute) and node.attr == "format":
            found.append(node.value)
        elif isinstance(node, ast.Return) and returned:
            found += [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
    return {node for node in found if isinstance(node, ast.Constant) and _fits(node.value)}


def _fits(text):
    return isinstance(text, str) and text.isascii() and len(text) >= MIN_CHARACTERS and _END not in text
