"""Who may import whom, what device code may use, and where state may live: rules that a reader cannot check by eye.

docs/architecture.md has the table in words. Files are parsed, never imported. test_layering.py holds the project to the
rules, and shows each of them to fail on a small bad tree.
"""

import ast
import functools
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

ALL = {
    "protocol", "primitives", "i2c_devices", "pb_link", "esp_link", "sensor_bus", "remote_i2c", "server", "sim",
    "examples", "build", "tests",
}  # fmt: skip
MAY_IMPORT = {
    "protocol": set(),
    "primitives": set(),
    "i2c_devices": {"protocol", "primitives"},
    "pb_link": {"protocol", "primitives", "i2c_devices"},
    "esp_link": {"protocol", "primitives", "i2c_devices"},
    "sensor_bus": {"protocol", "primitives"},
    "remote_i2c": {"protocol"},
    "server": {"protocol", "primitives", "sensor_bus", "remote_i2c"},
    "sim": ALL - {"examples", "build", "tests"},
    "examples": {"pb_link", "i2c_devices", "protocol", "sensor_bus"},
    "build": ALL,
    "tests": ALL,
}
MAY_ALSO_IMPORT = {
    "pb_link/server.py": {"server"},
    "pb_link/s_app.py": {"server"},  # the server's demo
    "pb_link/smbus.py": {"remote_i2c"},
    "pb_link/testing.py": {"sim"},  # of tests on a computer
    "server/__main__.py": {"sim"},  # `pb-link sim`
    "server/service/client_settings.py": {"pb_link"},  # writes the file that pb_link/settings.py reads
}

# Below one package: which of its folders (or modules) each may import, beside itself. A row's name is a path below the
# package; the longest that fits counts. A last * is any name: each of these is a unit of its own. Each folder has a
# row. A module without one stands above them all: it may import all, and none of them may import it.
OF_BOTH_BEDS = {"apps", "checker", "faults", "root", "table", "trace", "vcd", "wires"}
CORE = {"core", "core/store", "core/history", "core/message", "core/others", "core/clock"}
GATEWAY_WORDS = {"gateways/interface", "gateways/setting", "gateways/private_file"}
UNITS = {
    "server": {
        "core": CORE,
        "core/store": {"core/history"},
        "core/history": set(),
        "core/message": set(),
        "core/others": set(),
        "core/clock": set(),
        "file_owner": set(),
        "stores": CORE - {"core"} | {"file_owner"},
        "gateways": set(),
        "gateways/interface": {"gateways", "gateways/setting"},
        "gateways/setting": set(),
        "gateways/private_file": {"file_owner"},
        "gateways/*": CORE | GATEWAY_WORDS | {"gateways"},
        "service": CORE | GATEWAY_WORDS | {"stores", "file_owner"},
    },
    "sim": {
        "apps": set(),
        "checker": set(),
        "faults": set(),
        "root": set(),
        "table": {"checker"},
        "trace": set(),
        "vcd": set(),
        "wires": set(),
        "mpy": OF_BOTH_BEDS,
        "virtual": OF_BOTH_BEDS,
        "testing": OF_BOTH_BEDS | {"mpy", "virtual"},
    },
    "build": {
        "tools": set(),
        "images": {"tools"},
        "install": {"tools", "images"},
        "bench": {"tools", "install"},
        "chip": {"tools", "bench", "images"},
        "pictures": {"tools"},
        "site": set(),
        "wheel": set(),
        "release": {"tools"},
    },
}

# These run on a chip.
DEVICE_FOLDERS = ("protocol", "primitives", "i2c_devices", "pb_link", "esp_link", "sensor_bus")
# These run in MicroPython and CPython. Python's own modules that MicroPython has, in any build of the unix port:
BOTH_INTERPRETERS = (*DEVICE_FOLDERS, "server/core")
MICROPYTHON_HAS = {
    "array", "asyncio", "binascii", "collections", "errno", "gc", "hashlib", "heapq", "io", "json", "math", "os",
    "random", "re", "select", "struct", "sys", "time",
}
NOT_ON_DEVICES = {"typing", "dataclasses", "enum", "abc", "functools", "contextlib", "logging", "__future__"}

# Only these files name real hardware; everything else gets it through a constructor.
PLATFORM_MODULES = {
    "machine", "umachine", "network", "esp", "esp32", "pyb", "stm", "rp2", "socket", "usocket", "bluetooth", "lwip"
}
PLATFORM_FOLDERS = (*DEVICE_FOLDERS, "remote_i2c", "server", "examples")
PLATFORM_FILES = {"primitives/platform.py"}
PLATFORM_NAMES = {"board.py", "main.py", "config.py"}
ADAPTER_LIST = re.compile(r"<!-- adapters -->(.*?)<!-- /adapters -->", re.DOTALL)

MUTATORS = {
    "append", "appendleft", "extend", "insert", "pop", "popleft", "popitem", "remove", "clear", "update",
    "setdefault", "add", "discard", "sort", "reverse",
}
CONTAINERS = {"list", "dict", "set", "defaultdict", "OrderedDict"}
HALVES = {"sender", "receiver", "_sender", "_receiver"}
# Who has these can make, read or prove the frames of a session: the two ends, and not the bridge between them.
BEYOND_THE_BRIDGE = {
    f"protocol/{module}"
    for module in (
        "session", "server_session", "sender", "receiver", "receive_space", "frame", "frame_log", "handshake",
        "responder", "digest", "credentials",
    )
}  # fmt: skip
# There is no such thing as a constant one of these.
NEVER_CONSTANT = {"bytearray", "array", "deque", "Event", "Lock", "ThreadSafeFlag", "Queue"}


def source_texts(root, folders):
    """Yields (path relative to the root, text) of the Python files in the folders."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            yield path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")


def source_files(root, folders):
    """Yields (path relative to the root, syntax tree) of the Python files in the folders."""
    for relative, text in source_texts(root, folders):
        yield relative, ast.parse(text, relative)


def source_imports(root, folders):
    """Yields (path relative to the root, its imports as `imports` has them) of the Python files in the folders."""
    for relative, text in source_texts(root, folders):
        yield relative, _imports_of_text(relative, text)


@functools.cache
def _imports_of_text(relative, text):
    """Several rules ask for the same: of each file it is found out once."""
    return tuple(imports(relative, ast.parse(text, relative)))


def imports(relative, tree):
    """Yields (dotted module, names that are taken from it, line) of each import in the file, also the relative and the
    dynamic ones."""
    folders = relative.split("/")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, [], node.lineno
        elif isinstance(node, ast.ImportFrom):
            names = [alias.name for alias in node.names]
            if node.level > len(folders):  # beyond its own folder
                yield "..", [], node.lineno
            else:
                base = folders[: len(folders) + 1 - node.level] if node.level else []
                yield ".".join([*base, *filter(None, [node.module])]), names, node.lineno
        elif isinstance(node, ast.Call) and name_of(node.func) in ("__import__", "import_module") and node.args:
            argument = node.args[0]
            if isinstance(argument, ast.BinOp) and isinstance(argument.op, ast.Add):  # "sensor_bus." + name
                package = argument.left
                if isinstance(package, ast.Constant) and str(package.value).endswith("."):
                    yield package.value.strip(".") or ".".join(folders), [], node.lineno
                    continue
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield argument.value, [], node.lineno
            elif relative.startswith(DEVICE_FOLDERS):
                yield "?", [], node.lineno


def imported_names(found):
    """Yields (top-level module, line) of each of a file's imports."""
    for module, _, line in found:
        yield ".." if module == ".." else module.partition(".")[0], line


def name_of(node):
    """Returns the last part of a name or attribute, else None."""
    return getattr(node, "id", None) or getattr(node, "attr", None)


def wrong_arrows(root):
    """Returns a line for each import of one folder by another that the table does not allow."""
    found = []
    for relative, imported in source_imports(root, MAY_IMPORT):
        own = relative.partition("/")[0]
        allowed = MAY_IMPORT[own] | {own} | MAY_ALSO_IMPORT.get(relative, set())
        for name, line in imported_names(imported):
            if name in ("..", "?") or (name in ALL and name not in allowed):
                found.append(f"{relative}:{line}: {own} may not import {name}")
    return found


def wrong_units(root):
    """Returns a line for each import within a package that the package's table does not allow."""
    found = []
    for package, table in UNITS.items():
        for relative, imported in source_imports(root, [package]):
            place = relative.removesuffix(".py").split("/")[1:]
            own = unit_of(place, table)
            if own is None and len(place) > 1:
                found.append(f"{relative}:1: {package}/{place[0]} has no row in UNITS")
            elif own is not None:
                for parts, line in imported_parts(package, imported):
                    unit = unit_of(parts, table)
                    if unit != own and unit not in row_of(own, table):
                        found.append(f"{relative}:{line}: {own} may not import {'.'.join([package, *parts])}")
    return found


def unit_of(parts, table):
    """Returns the longest beginning of this path below a package that has a row in the table, or None."""
    beginnings = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((beginning for beginning in beginnings if row_of(beginning, table) is not None), None)


def row_of(unit, table):
    """Returns what a unit may import: its own row, or that of any name in its folder."""
    return table.get(unit, table.get(f"{unit.rpartition('/')[0]}/*"))


def imported_parts(package, found):
    """Yields (path below the package, line) of those of a file's imports that are from this package."""
    for module, names, line in found:
        top, *parts = module.split(".")
        if top == package:
            yield from (([*parts, name], line) for name in names) if names else [(parts, line)]


def listed_adapters(root):
    """Returns the files between the marks in docs/architecture.md that are named in backquotes."""
    document = root / "docs" / "architecture.md"
    marked = ADAPTER_LIST.search(document.read_text(encoding="utf-8")) if document.exists() else None
    return set(re.findall(r"`([\w/]+\.py)`", marked[1])) if marked else set()


def stray_platform_imports(root):
    """Returns a line for each import of a hardware module outside the files that may name hardware."""
    excepted = PLATFORM_FILES | listed_adapters(root)
    return [
        f"{relative}:{line}: only {', '.join(sorted(PLATFORM_FILES | PLATFORM_NAMES))} and adapters listed in "
        f"docs/architecture.md may import {name}"
        for relative, imported in source_imports(root, PLATFORM_FOLDERS)
        if relative not in excepted and relative.rpartition("/")[2] not in PLATFORM_NAMES
        for name, line in imported_names(imported)
        if name in PLATFORM_MODULES
    ]


def cpython_only(root):
    """Returns a line for each import of server/core that MicroPython does not have. What a function imports when it is
    called is its own affair."""
    return [
        f"{relative}:{line}: MicroPython has no {module}"
        for relative, tree in source_files(root, ["server/core"])
        for module, _, line in imports(relative, ast.Module(body=at_import(tree)))
        if module.partition(".")[0] not in MICROPYTHON_HAS | ALL
    ]


def at_import(tree):
    """Returns the statements that run when the module is imported, those in functions left out."""
    waiting, found = list(tree.body), []
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            found.append(node)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            children = ast.iter_child_nodes(node)
            waiting += [child for child in children if isinstance(child, (ast.stmt, ast.excepthandler))]
    return found


def not_micropython(root):
    """Returns a line for each thing in code for both interpreters that MicroPython lacks."""
    found = []
    for relative, tree in source_files(root, BOTH_INTERPRETERS):
        for name, line in imported_names(imports(relative, tree)):
            if name in NOT_ON_DEVICES:
                found.append(f"{relative}:{line}: MicroPython has no {name}")
        for node in ast.walk(tree):
            what = None
            if isinstance(node, ast.Match):
                what = "match statement"
            elif isinstance(node, ast.arguments) and node.posonlyargs:
                node, what = node.posonlyargs[0], "positional-only argument"
            elif isinstance(node, ast.TryStar):
                what = "except*"
            elif isinstance(node, ast.Raise) and node.cause is not None:
                what = "raise .. from .."
            elif isinstance(node, (ast.List, ast.Tuple, ast.Set)) and any(
                isinstance(value, ast.Starred) and isinstance(value.ctx, ast.Load) for value in node.elts
            ):
                what = "*values in a list, tuple or set"
            if what:
                found.append(f"{relative}:{node.lineno}: MicroPython has no {what}")
    return found


def shared_state(root):
    """Returns a line for each mutable object that a module or class of device code holds: two boards may share it.

    The files that describe one board, its hardware and its settings, are that board's own.
    """
    found = []
    for relative, tree in source_files(root, DEVICE_FOLDERS):
        if relative.rpartition("/")[2] in PLATFORM_NAMES:
            continue
        constants = set()
        for names, value, line in shared_assignments(tree):
            kind = kind_of_mutable(value)
            constant = all(name.strip("_").isupper() or name.startswith("__") for name in names)
            if kind == "never constant" or (kind and not constant):
                found.append(f"{relative}:{line}: {', '.join(names)} is state that two boards would share")
            elif kind:
                constants.update(names)
        for node in ast.walk(tree):
            if isinstance(node, ast.Global):
                found.append(f"{relative}:{node.lineno}: global {', '.join(node.names)}")
            else:
                changed = changed_name(node)
                if changed in constants:
                    found.append(f"{relative}:{node.lineno}: the constant {changed} is changed")
    return found


def shared_assignments(tree):
    """Yields (names, value, line) of the assignments that run at import, those in class bodies among them."""
    waiting = list(tree.body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.AnnAssign, ast.AugAssign, ast.NamedExpr)):
            targets = [node.target]
        else:
            waiting[:0] = ast.iter_child_nodes(node)
            continue
        if len(targets) == 1 and isinstance(targets[0], ast.Tuple) and isinstance(node.value, ast.Tuple):
            pairs = zip(targets[0].elts, node.value.elts, strict=False)
        else:
            pairs = [(target, node.value) for target in targets]
        for target, value in pairs:
            names = [name_of(part) or "?" for part in getattr(target, "elts", [target])]
            yield names, value, node.lineno


def kind_of_mutable(value):
    """Returns "container", "never constant", or None for what does not change."""
    if isinstance(value, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)):
        return "container"
    if isinstance(value, ast.BinOp):
        return kind_of_mutable(value.left) or kind_of_mutable(value.right)
    if isinstance(value, ast.IfExp):
        return kind_of_mutable(value.body) or kind_of_mutable(value.orelse)
    if isinstance(value, ast.Call):
        name = name_of(value.func)
        return "container" if name in CONTAINERS else "never constant" if name in NEVER_CONSTANT else None
    return None


def changed_name(node):
    """Returns the name of the container that the node changes, if it does."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)):
        return name_of(node.value)
    if isinstance(node, ast.AugAssign):
        return name_of(node.target)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        return name_of(node.func.value)
    return None


def halves_of_sessions(root):
    """Returns a line for each use of the sender or receiver of a session by others than the protocol and its tests.

    What an adapter needs of them is a verb of Session. An object may have a `sender` of its own.
    """
    found = []
    for relative, text in source_texts(root, sorted(ALL)):
        if relative.startswith(("protocol/", "tests/protocol/")) or not any(half in text for half in HALVES):
            continue
        for node in ast.walk(ast.parse(text, relative)):
            named = None
            if isinstance(node, ast.Attribute) and name_of(node.value) != "self":
                named = node.attr
            elif isinstance(node, ast.Call) and name_of(node.func) in ("getattr", "setattr") and len(node.args) > 1:
                named = getattr(node.args[1], "value", None)
            if named in HALVES:
                found.append(f"{relative}:{node.lineno}: .{named} of another object: use a verb of Session")
    return found


def beyond_the_bridge(root):
    """Returns a line for each import by which esp_link reaches what makes, reads or proves a session's frames.

    It may come by way of other modules: the line names the import of esp_link, and the modules on the way.
    """
    trees = dict(source_files(root, DEVICE_FOLDERS))

    def reached(relative):
        """Yields (file, line) of the files of this project that the file imports."""
        for module, names, line in imports(relative, trees[relative]):
            parts = module.split(".")
            folders = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
            for path in [*folders, *(f"{folders[-1]}/{name}" for name in names)]:
                yield from ((file, line) for file in (f"{path}.py", f"{path}/__init__.py") if file in trees)

    found = []
    for start in (relative for relative in trees if relative.startswith("esp_link/")):
        for first, line in reached(start):
            ways, seen = [[first]], {first}
            while ways:
                way = ways.pop(0)
                if way[-1].removesuffix(".py") in BEYOND_THE_BRIDGE:
                    found.append(f"{start}:{line}: the bridge may not reach {' -> '.join(way)}")
                    continue
                for path, _ in reached(way[-1]):
                    if path not in seen:
                        seen.add(path)
                        ways.append([*way, path])
    return found


RULES = (
    wrong_arrows, wrong_units, stray_platform_imports, cpython_only, not_micropython, shared_state, halves_of_sessions,
    beyond_the_bridge,
)  # fmt: skip
