"""Which of the project's files a module needs."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def imported(path, found=None):
    """Paths of the file, of those of the project's that it imports, of those that they import, and so on."""
    found = set() if found is None else found
    if path in found or not (ROOT / path).is_file():
        return found
    found.add(path)
    imported(f"{path.partition('/')[0]}/__init__.py", found)
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] + [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            imported(name.replace(".", "/") + ".py", found)
    return found
