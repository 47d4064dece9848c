"""Memory that runs out on a board of bed *virtual*: an allocation of its device code fails.

This is a model: CPython allocates where MicroPython does not, and the other way round. The source tells what allocates
in MicroPython: a line that makes a list, tuple, dict, slice or text, or calls a class, a coroutine or a function that
makes an object. The MemoryError comes before such a line, so if a line does two things, neither is done. Lines that
only count, compare, take out of a list or call methods do not fail. Construction of an application is excluded: an
exception there goes to the application. tests/memory uses MicroPython's real allocations, for one client.
"""

import ast
import inspect
import sys

from sim.root import ROOT

FOLDERS = {
    "client": ("pb_link", "protocol", "primitives", "i2c_devices"),
    "bridge": ("esp_link", "protocol", "primitives", "i2c_devices"),
}
# Parts of the device code for CPython only: their replacements in MicroPython allocate nothing.
_SPARED = ("primitives/platform.py", "primitives/timed_flag.py", "primitives/waiting.py")
# Also excluded: what a program does before it has a link.
_AT_THE_START = ("i2c_devices/ports.py", "i2c_devices/port_table.py", "i2c_devices/pins.py")
_FUNCTIONS = frozenset("bytes bytearray memoryview str list dict set object sorted sha256 pack".split())
_METHODS = frozenset(
    "append extend insert encode decode digest urandom join format to_bytes create_task irq open parts".split()
    + ["pack_epochs"]
)
# Awaited, these make nothing.
_WAITS = frozenset(("sleep_ms", "wait_ms"))
_MADE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp, ast.JoinedStr,
         ast.Lambda, ast.Slice)  # fmt: skip

_lines = {}  # file name -> its lines that allocate


class Shortage:
    """A shortage: from now on the board's n-th line that allocates fails, and those after it, `count` in all.

    Args: board: whose; name: of FOLDERS; on_failure(): called at each.
    """

    def __init__(self, board, name, n, count=1, on_failure=None):
        self._world = board.world
        self._board = board
        self._folders = FOLDERS[name]
        self.left = n  # allocations until one fails
        self.places = None  # a list: the functions that allocate are put there
        self._count = count
        self._on_failure = on_failure
        self._being_made = None  # frame of AppBase.__init__
        self._outer = sys.gettrace()
        sys.settrace(self._on_call)

    def end(self):
        """Ends the shortage: no allocation fails any more. May be called twice."""
        self._count = 0
        if sys.gettrace() == self._on_call:
            sys.settrace(self._outer)

    def _on_call(self, frame, event, argument):
        if self._world.current is not self._board or self._being_made is not None or not self._count:
            return None
        code = frame.f_code
        if code.co_qualname == "AppBase.__init__":
            self._being_made = frame
            return self._until_made
        return self._on_line if allocating(code.co_filename, self._folders) else None

    def _until_made(self, frame, event, argument):
        if event == "return":
            self._being_made = None
        return self._until_made

    def _on_line(self, frame, event, argument):
        if event != "line" or not self._count or frame.f_lineno not in _lines[frame.f_code.co_filename]:
            return self._on_line
        if self._world.current is not self._board:
            return self._on_line
        self.left -= 1
        if self.places is not None:
            self.places.append(frame.f_code.co_qualname)
        if self.left > 0:
            return self._on_line
        self._count -= 1
        for one in frame.f_locals.values():
            if inspect.iscoroutine(one):
                self._board.let_fall(one)
        if self._on_failure is not None:
            self._on_failure(frame)
        if not self._count:
            self.end()
        else:
            sys.settrace(self._on_call)  # a frame that raises is no longer traced
        raise MemoryError("a fault")


def allocating(path, folders):
    """Returns the lines of a file that allocate; none if it is not in these folders of the project."""
    if path not in _lines:
        spared = path.endswith(_SPARED + _AT_THE_START)
        known = _folder_of(path) in FOLDERS["client"] + FOLDERS["bridge"] and not spared
        _lines[path] = frozenset(_find(path)) if known else frozenset()
    return _lines[path] if _folder_of(path) in folders else frozenset()


def _folder_of(path):
    prefix = f"{ROOT}/"
    if not path.startswith(prefix):
        return None
    folders = path[len(prefix) :].split("/")[:-1]
    if folders[:1] == ["pb_link"] and len(folders) > 1:
        del folders[0]  # in a wheel the other folders are below it
    return folders[0] if folders else None


def _find(path):
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for statement in node.body:
                yield from _of_statement(statement)


def _of_statement(statement):
    """Returns the lines of a statement, and of those in it."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return
    bodies = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    bodies += [handler.body for handler in getattr(statement, "handlers", [])]
    for inner in sum(bodies, []):
        yield from _of_statement(inner)
    heads = [getattr(statement, name, None) for name in ("test", "iter", "value", "exc")]
    if any(bodies):
        parts = [head for head in heads if isinstance(head, ast.AST)]
    else:
        parts = [statement]
    swap = isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Tuple)
    for part in parts:
        for node in ast.walk(part):
            if _makes(node) and not (swap and node is statement.value):
                yield statement.lineno
                return


def _makes(node):
    if isinstance(node, _MADE):
        return True
    if isinstance(node, ast.Tuple):
        constant = all(isinstance(item, ast.Constant) for item in node.elts)
        return isinstance(node.ctx, ast.Load) and bool(node.elts) and not constant
    if isinstance(node, ast.BinOp):
        return any(isinstance(side, ast.Constant) and isinstance(side.value, (str, bytes))
                   for side in (node.left, node.right))
    if isinstance(node, ast.Await):
        return isinstance(node.value, ast.Call) and _called(node.value) not in _WAITS
    if isinstance(node, ast.Call):
        name = _called(node)
        return name in (_FUNCTIONS if isinstance(node.func, ast.Name) else _METHODS) or name[:1].isupper()
    return False


def _called(call):
    function = call.func
    return getattr(function, "attr", None) or getattr(function, "id", "")
