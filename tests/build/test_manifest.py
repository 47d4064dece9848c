"""The bridge's image carries what the bridge imports, and nothing else."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def frozen():
    """The files that build/manifest.py names, by running it with a `package` of our own."""
    named = set()

    def package(folder, files, base_path):
        assert base_path == ".."
        named.update(f"{folder}/{name}" for name in files)

    exec((ROOT / "build" / "manifest.py").read_text(), {"package": package})
    return named


def imported(path, found):
    """Adds the project's files that this one imports, and those that they do."""
    if path in found or not (ROOT / path).is_file():
        return
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


def test_image_carries_exactly_what_the_bridge_imports():
    found = set()
    imported("esp_link/main.py", found)
    assert frozen() == found
