"""A user's program for a board, run in this process: its file, and the modules beside it, anew in each life.

On a board each start runs all modules again. So nothing that a module of the user's holds outlives a reset here either.
What the board's firmware and pb_link provide comes from `modules`, or from this process.
"""

import builtins
from pathlib import Path

from sim.testing.modules import module

# On a board these lie beside pb_link. In an installed wheel they are below it.
ON_BOARDS = ("protocol", "primitives", "i2c_devices", "sensor_bus")
PREFIX = __name__.rpartition("sim.testing.")[0]  # "" in the checkout, "pb_link." in a wheel


class BoardProgram:
    """A program. Args: path: its file."""

    def __init__(self, path):
        self.path = Path(path)
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no client program {path}")
        self._code = {}  # path -> code: a module is compiled once

    def run(self, modules, open):
        """Runs the program. Args: modules: {dotted name: module} that its imports find first; open: its `open`."""
        importer = _Importer(self, modules, open)
        main = module("__main__", __file__=str(self.path), __builtins__=importer.builtins)
        importer.made["__main__"] = main
        exec(self.code(self.path), main.__dict__)

    def code(self, path):
        if path not in self._code:
            self._code[path] = compile(path.read_text(encoding="utf-8"), str(path), "exec")
        return self._code[path]


class _Importer:
    """The imports of one life. `made`: the user's modules that have been run in it."""

    def __init__(self, program, modules, open):
        self._program = program
        self._modules = modules
        self.made = {}
        self.builtins = {**builtins.__dict__, "__import__": self._import, "open": open}

    def _import(self, name, globals=None, locals=None, fromlist=(), level=0):
        if level:
            raise ImportError("a board's program has no relative imports")
        found = self._find(name)
        if found is None:
            if name.startswith("os."):
                raise ImportError(f"no module named '{name}' (a board's os is no package)")
            if name.partition(".")[0] in ON_BOARDS:
                name = PREFIX + name
            return builtins.__import__(name, globals, locals, fromlist, 0)
        if fromlist or "." not in name:
            return found
        return self._package(name, found)

    def _find(self, name):
        """Returns the module of this name that this process does not share with others, or None."""
        if name in self._modules:
            return self._modules[name]
        if name in self.made:
            return self.made[name]
        beside = self._program.path.parent.joinpath(*name.split("."))
        for path in (beside.with_suffix(".py"), beside / "__init__.py"):
            if path.is_file():
                made = self.made[name] = module(name, __file__=str(path), __builtins__=self.builtins)
                exec(self._program.code(path), made.__dict__)
                return made
        return None

    def _package(self, name, found):
        """Returns what `import pb_link.config` binds: the package, with that module in it."""
        top, *rest = name.split(".")
        package = self._find(top) or builtins.__import__(top)
        for index, part in enumerate(rest):
            inner = found if index == len(rest) - 1 else module(".".join([top, *rest[: index + 1]]))
            package = module(package.__name__, **{**vars(package), part: inner})
        return package
