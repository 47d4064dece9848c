"""Rewrites the imports of the project's packages for the wheel, where they lie below `pb_link`.

In the checkout and on boards the packages are top-level names, `server`, `protocol` and others. In site-packages these
would collide with other people's modules. So the wheel has `pb_link.server`, `pb_link.protocol`, .., and this module
rewrites each source on its way there. It knows nothing of files or of hatchling.
"""

import ast

TOP = "pb_link"


def rewritten(source, modules, name="<source>"):
    """Returns the source with every import of a module, and every text that is the dotted name of one, below TOP.

    Args: source: str, Python; modules: set of dotted names, "server" and "server.listener"; name: for errors.
    Raises: SyntaxError; ValueError for an import that is not understood, and for an f-string that begins with a module
    and a dot, as f"server.{name}": it names the line.
    """
    edits = []  # (line from 0, first column, end column, new text); columns are those of ast: in bytes of UTF-8
    tree = ast.parse(source, name)
    lines = source.encode().split(b"\n")
    inside_text = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            _refuse_made_name(node, modules, name)
            inside_text |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level and node.module in modules:
            edits.append(_replaced(lines, node, node.module, f"{TOP}.{node.module}", name))
        elif isinstance(node, ast.Import) and any(alias.name in modules for alias in node.names):
            edits.append(_import(node, name))
        elif isinstance(node, ast.Constant) and "." in str(node.value) and node.value in modules:
            if id(node) not in inside_text:
                edits.append(_replaced(lines, node, node.value, f"{TOP}.{node.value}", name))
    for line, start, end, text in sorted(edits, reverse=True):
        lines[line] = lines[line][:start] + text.encode() + lines[line][end:]
    return b"\n".join(lines).decode()


def _refuse_made_name(node, modules, name):
    """Refuses a module's name that is made when the program runs: it would not be found below TOP."""
    first = node.values[0] if node.values else None
    if isinstance(first, ast.Constant) and first.value.endswith(".") and first.value[:-1] in modules:
        raise ValueError(f"{name}, line {node.lineno}: write names of modules whole, not by an f-string")


def _replaced(lines, node, old, new, name):
    """Returns the edit that puts new in the place of old, which begins in the first line of the node."""
    line = node.lineno - 1
    at = lines[line].find(old.encode(), node.col_offset)
    if at < 0:
        raise ValueError(f"{name}, line {node.lineno}: {old} is not in the line where its statement begins")
    return line, at, at + len(old), new


def _import(node, name):
    """Handles imports: `import server` and `import server.listener` both bind `server`; so must the replacement."""
    alias = node.names[0]
    if len(node.names) != 1 or node.lineno != node.end_lineno:
        raise ValueError(f"{name}, line {node.lineno}: one module a line in an import, please")
    package = alias.name.partition(".")[0]
    if alias.asname:
        text = f"import {TOP}.{alias.name} as {alias.asname}"
    elif package == alias.name:
        text = f"from {TOP} import {package}"
    else:
        text = f"import {TOP}.{alias.name}; from {TOP} import {package}"
    return node.lineno - 1, node.col_offset, node.end_col_offset, text
