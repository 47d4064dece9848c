"""Commands that are printed for a user to copy: each name in them is one word, whatever it has."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("server", "pb_link", "build", "sim", "examples")
COMMAND = re.compile(r"(?:pb-link [a-z]+|keys (?:add|rotate|revoke)|mpremote|chmod|sim up|deploy\.py)(?= )")
END = re.compile(r"[.,:;)] | \(| gives| makes|\n")
QUOTING = {"quoted", "quote"}  # those of server/core/shown.py and shlex


def in_command(before):
    """True if the text before a name ends within a command."""
    begins = [match.end() for match in COMMAND.finditer(before)]
    return bool(begins) and END.search(before, begins[-1]) is None


def _is_text(node):
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def unquoted(text):
    """Returns the lines of a source in which a name that is not quoted stands in a command."""
    tree = ast.parse(text)
    assigned = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            assigned.setdefault(node.targets[0].id, []).append(node.value)

    def good(value):
        if isinstance(value, ast.Name):
            return value.id.isupper() or value.id in assigned and all(map(good, assigned[value.id]))
        if isinstance(value, ast.JoinedStr):
            return all(good(one.value) for one in value.values if isinstance(one, ast.FormattedValue))
        function = value.func if isinstance(value, ast.Call) else None
        return getattr(function, "attr", getattr(function, "id", None)) in QUOTING

    found = set()
    for node in ast.walk(tree):
        before = ""
        for value in node.values if isinstance(node, ast.JoinedStr) else ():
            if isinstance(value, ast.FormattedValue):
                if in_command(before) and not good(value.value):
                    found.add(value.lineno)
                before += "NAME"
            else:
                before += value.value
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and _is_text(node.left):
            right = node.right
            if isinstance(right, ast.Name) and right.id in assigned:
                right = assigned[right.id][-1]
            values = right.elts if isinstance(right, ast.Tuple) else [right]
            places = list(re.finditer(r"%\w", node.left.value))
            for place, value in zip(places, values):
                if place[0] == "%s" and in_command(node.left.value[: place.start()]) and not good(value):
                    found.add(node.lineno)
    return sorted(found)


def test_every_name_in_a_printed_command_is_quoted():
    found = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            lines = unquoted(path.read_text(encoding="utf-8"))
            found += [f"{path.relative_to(ROOT)}:{line}: use quoted() of server/core/shown.py" for line in lines]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        'f"has none: pb-link keys add {name}"',
        'f"{name} has a key: pb-link keys rotate {name} gives it another one"',
        'f"pb-link keys add {quoted(name)} --settings {path}"',
        'f"mpremote connect {options.port} rm :main.py"',
        '"pb-link keys add %s" % name',
        'both = (name, name)\n"%s has none: pb-link keys add %s" % both',
        'words = f"{name} --settings {quoted(path)}"\nf"pb-link keys add {words}"',
    ],
)
def test_name_that_is_not_quoted_is_found(text):
    assert unquoted(text)


@pytest.mark.parametrize(
    "text",
    [
        'f"{name} has a key: pb-link keys rotate {quoted(name)} gives {name} another one"',
        'f"pb-link: {text}"',
        'name = shlex.quote(x)\nf"chmod 600 {name}"',
        '"%s: pb-link keys add %s" % (name, quoted(name))',
        'f"mpremote connect {quoted(port)} rm :{FILE}"',
    ],
)
def test_quoted_name_is_good(text):
    assert not unquoted(text)
