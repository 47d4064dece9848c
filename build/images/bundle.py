"""Joins modules of the device code into one, which takes less of a board's memory than many.

In MicroPython each module has a table of its names, one of its objects, and an entry for each name that it imports.
Joined, the modules share the tables and import nothing from each other, and constants of other modules are known to
the compiler.

The joined module has its root and all that is imported when the root is imported, each after those that it imports, and
each as its source has it (bundle_source.py). What differs:

- Imports from one another are left out. A name that two modules define gets a number.
- A constant, `NAME = const(..)`, is left out: its value stands where it is used.
- What nothing in the program uses is left out, and names that no user sees are short (short_names.py).
- The names that are used most come first (name_order.py).
- It has fewer lines (compact.py), and its texts can be one (texts.py).
- Of `try` with `except ImportError:  # CPython` the first part is left, and so of `if` MicroPython.

A module that functions import when they need it is not joined. It imports from the joined module. Several of them that
are needed together can be joined into another one (`later`). In the place of each
joined module is a short one that has its public names, so that imports in users' programs stay valid. Modules that
other programs than ours rest on stay as they are beside the joined one, where their code is as well.
"""

import ast
import itertools

from build.images.bundle_source import CONST, Module, Rewriter, used_in_classes
from build.images.compact import compacted
from build.images.name_order import never_executed
from build.images.short_names import ShortNames
from build.images.texts import Texts
from build.tools.shell import BuildError


class Bundle:
    """Modules joined into one, and those beside it.

    Args: sources: {"pb_link.link": its source in bytes, ..}, of all modules of a program, without packages, but with
    "protocol"; root: name of the module to begin with, and of the joined module; kept: other modules whose classes and
    functions users see: their names stay; closed: those of them of which users make no subclass: their private names
    are short; constants_of: modules that are not joined, of which others have the values of constants in place of
    imports; ordered: the names that are used most come first (name_order.py), which makes the
    bytecode shorter and the module's own frame larger: not for bytecode that stays in flash; apart: modules that other
    programs import as well, with all their names: they stay beside the joined one as they are; inner: modules that are
    loaded when they are needed, and that users see no names of; later: {"pb_link.start":
    ("pb_link.settings", ..), ..}, modules to be joined into another one, which is loaded when it is needed; short:
    ShortNames of the program that these are a part of; asked: {(module, name), ..} that the rest of it uses; texts_of:
    texts of errors are one object (texts.py), and so is what functions of these modules return; None: they stay; run:
    lines of a source that may become one (compact.py); foreign: names that objects of other programs have;
    hidden: public names of kept modules that users do not see.

    Raises: BuildError for what cannot be joined; it names file and line.
    """

    def __init__(
        self, sources, root, kept=(), ordered=False, apart=(), inner=(), later=None, texts_of=None, run=1,
        short=None, asked=(), closed=(), constants_of=(), foreign=(), hidden=(),
    ):  # fmt: skip
        self.name = root
        self._known = sources
        self._modules = {}
        self._kept = {root, *kept}
        self._apart = frozenset(apart) - self._kept
        self._constants_of = frozenset(constants_of)
        self._values = {}  # Origin of a constant: its value
        self._objects = set()  # modules that are passed to functions
        self._order = []
        self._join(root, ())
        self.joined = frozenset(self._order)
        trees = {name: self.module(name).tree for name in self._known}
        passed = {one: self._public(one) for one in self._passed(trees)}
        layouts = {} if apart else {_class_name(one): names for one, names in passed.items()}
        self.short = short or ShortNames(trees, self._kept, self.joined.union(inner), layouts, closed, foreign, hidden)
        self._used_in_classes = set().union(*map(used_in_classes, trees.values()), *passed.values())
        self._new_names = self._named()
        self._asked = set()  # names of attributes of objects
        # Methods that are left out of joined classes, because nothing in the program asks for an attribute of the name.
        self.idle = self.short.idle_methods() if short is None else frozenset()
        self.unused = frozenset()  # Origins of definitions that are left out, because nothing in the program uses them
        self.unused = self._find_unused(asked)
        parts = {one: Rewriter(self, self.module(one), True).source().rstrip("\n") for one in self._order}
        for one in self._objects:
            parts[one] += "\n" + self._class_of(one)
        text = []
        if texts_of is not None:
            taken = set(self._new_names.values())
            texts = Texts(*itertools.islice((name for name in self.short.definitions() if name not in taken), 2))
            parts = {one: texts.taken_from(part, one in texts_of) for one, part in parts.items()}
            text = texts.lines()
        self._lines = [(one, *line) for one, part in parts.items() for line in compacted(part, run)]
        self._first_lines = [never_executed("\n".join((*text, *parts.values()))) if ordered else "", *text]
        self._later = {}  # name of a module: the Bundle that it is in
        for one, modules in (later or {}).items():
            self._join_later(one, (one, *modules), ordered, run)

    def source(self):
        """Returns the source of the joined module."""
        return "\n".join((*self._first_lines, *(line for _, line, _, _ in self._lines))) + "\n"

    def where(self, place):
        """Returns "pb_link/link.py:231 in Link.run" of a line of the joined module, as a traceback has it, or
        "pb_link/link.py:231-233 in Link.run" for several lines.

        Args: place: str, "pb_link/app_base.py:2310". Raises: BuildError.
        """
        file, _, line = place.rpartition(":")
        for name, bundle in self._later.items():
            if file == _file(name) and name == bundle.name:
                return bundle.where(place)
        joined = _file(self.name)
        if file != joined or not line.isdecimal():
            raise BuildError(f"{place}: give it as {joined}:LINE. The lines of other modules are those of the source.")
        number = int(line) - 1 - len(self._first_lines)
        if not 0 <= number < len(self._lines):
            have = len(self._first_lines) + len(self._lines)
            raise BuildError(f"{place}: it has {have} lines. Is the board's release another than this?")
        name, _, first, last = self._lines[number]
        lines = f"{first}" if first == last else f"{first}-{last}"
        return f"{_file(name)}:{lines}{self.module(name).function_at(first)}"

    def beside(self, name):
        """Returns the source of the module of this name: one that is not joined, or what replaces a joined one."""
        if name == self.name:
            return self.source()
        if name in self._later:
            return self._later[name].beside(name)
        if name in self._apart or name in self._constants_of:
            return self._known[name].decode()
        if name not in self.joined:
            return Rewriter(self, self.module(name), False).source()
        module = self.module(name)
        taken, constants = [], []
        for public in module.names:
            origin = self.origin(module, public)
            if public.startswith("_") or origin.name is None or origin == CONST:
                continue
            if origin in self.unused or origin.module != name and public not in module.passed_on:
                continue
            if self.is_constant(origin):
                constants.append(f"{public} = {self.value(origin)!r}\n")
            else:
                new = self.new_name(origin)
                taken.append(new if new == public else f"{new} as {public}")
        return "".join([f"from {self.name} import {', '.join(taken)}\n" if taken else "", *constants])

    def module(self, name):
        if name not in self._modules:
            self._modules[name] = Module(name, self._known[name], self._known)
        return self._modules[name]

    def origin(self, module, name):
        """Returns the Origin of a name of a module, through all imports; None: it is not defined there."""
        found = module.names.get(name)
        while found is not None and found.name is not None and found.module in self._known and found != CONST:
            before, found = found, self.module(found.module).names.get(found.name)
            if found == before:
                break
            if found is None:
                raise BuildError(f"{module.name} imports {before.name} of {before.module}, which has none")
        return found

    def new_name(self, origin):
        """Returns the name in the joined module. Raises: BuildError."""
        if origin.name is None and origin.module in self.joined:
            self._objects.add(origin.module)
            return _class_name(origin.module)
        return self._new_names.get(origin, origin.name or origin.module)

    def is_constant(self, origin):
        if origin.module not in self.joined and origin.module not in self._constants_of:
            return False
        return origin.name in self.module(origin.module).constants

    def public_constants(self, module):
        """Returns the names of constants that users may import from the joined module itself."""
        return {name for name in module.constants if not name.startswith("_")} if module.name == self.name else set()

    def value(self, origin):
        """Returns the value of a constant. Raises: BuildError."""
        if origin not in self._values:
            module = self.module(origin.module)
            node = _Folded(self, module).visit(module.constants[origin.name])
            try:
                self._values[origin] = eval(compile(ast.Expression(node), module.name, "eval"), {})
            except Exception as error:
                raise module.fault(node, f"the value of {origin.name} is not constant ({error})") from None
        return self._values[origin]

    def _join(self, name, path):
        """Puts what a module imports into the order, and then itself."""
        if name in path:
            raise BuildError(f"{' -> '.join((*path, name))}: modules that import each other cannot be joined")
        if name not in self._order:
            for other in self.module(name).imports:
                if other != CONST.module:
                    self._join(other, (*path, name))
            self._order.append(name)

    def _join_later(self, root, modules, ordered, run):
        """Joins modules of which the sources are as they are beside this joined one."""
        if unknown := set(modules) - self._known.keys() or self.joined.intersection(modules):
            raise BuildError(f"{', '.join(sorted(unknown))}: cannot be joined later, or is no module of the program")
        asked = {
            (node.module, alias.name)
            for name in self._known.keys() - self.joined - set(modules)
            for node in ast.walk(ast.parse(self.beside(name)))
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        sources = {name: self.beside(name).encode() for name in modules}
        bundle = Bundle(sources, root, ordered=ordered, run=run, short=self.short, asked=asked)
        if bundle.joined != set(modules):
            raise BuildError(f"{', '.join(sorted(set(modules) - bundle.joined))}: not imported with {root}")
        self._later.update(dict.fromkeys(modules, bundle))

    def _passed(self, trees):
        """Returns the names of joined modules that the program uses as objects."""
        found = set()
        for name in self.joined:
            tree = trees[name]
            asked = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
            for node in ast.walk(tree):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in asked:
                    origin = self.origin(self.module(name), node.id)
                    if origin is not None and origin.name is None and origin.module in self.joined:
                        found.add(origin.module)
        return sorted(found)

    def _public(self, name):
        origins = self.module(name).names
        return {one for one, origin in origins.items() if origin.module == name and not one.startswith("_")}

    def _named(self):
        """Returns {Origin: name in the joined module} of all that joined modules define, and import of Python's."""
        names, used = {}, self.public_constants(self.module(self.name))
        for module in map(self.module, self._order):
            for name in module.names:
                origin = self.origin(module, name)
                if origin in names or origin == CONST or self.is_constant(origin):
                    continue
                if origin.name is None and origin.module in self._known:
                    continue
                names[origin] = free = next(one for one in self._candidates(origin) if one not in used)
                used.add(free)
        return names

    def _find_unused(self, asked):
        uses, used = {}, {self.origin(self.module(name), one) for name, one in asked if name in self.joined}
        for name in self._known:
            rewriter = Rewriter(self, self.module(name), name in self.joined)
            rewriter.source()
            self._asked |= rewriter.asked
            if name in self.joined:
                uses.update(rewriter.uses)
                used |= uses.pop(None)
            else:
                used = used.union(*rewriter.uses.values())
        for one in self._objects:
            module = self.module(one)
            used |= {self.origin(module, name) for name in module.names if name in self._asked and name[0] != "_"}
        todo = [origin for origin in uses if origin in used or origin.module in self._kept]
        reached = set(todo)
        while todo:
            new = uses[todo.pop()] & uses.keys() - reached
            reached |= new
            todo += new
        return frozenset(uses.keys() - reached)

    def _candidates(self, origin):
        """Yields names for a definition, the best one first: a short one where no user sees it."""
        name = origin.name or origin.module
        hidden = origin.module not in self._kept or name.startswith("_")
        if hidden and origin.module in self.joined and self.module(origin.module).is_plain(name):
            hidden = self.short.attributes.values() if name in self._used_in_classes else ()
            yield from (short for short in self.short.definitions() if short not in hidden)
        yield name
        for number in itertools.count(2):
            yield f"{name}_{number}"

    def _class_of(self, name):
        """Returns a class in the place of a module that is used as an object, with what may be asked of it."""
        pairs = []
        for one in self.module(name).names:
            origin = self.origin(self.module(name), one)
            if one in self._asked and origin.name is not None and not one.startswith("_"):
                value = repr(self.value(origin)) if self.is_constant(origin) else self.new_name(origin)
                pairs.append(f"{self.short.attributes.get(one, one)} = {value}")
        return f"class {_class_name(name)}: {'; '.join(pairs)}"


class _Folded(ast.NodeTransformer):
    """Puts the values of constants in the place of their names."""

    def __init__(self, bundle, module):
        self._bundle = bundle
        self._module = module

    def visit_Name(self, node):
        origin = self._bundle.origin(self._module, node.id)
        if origin is None or not self._bundle.is_constant(origin):
            return node
        return ast.copy_location(ast.Constant(self._bundle.value(origin)), node)


def _file(name):
    return f"{name.replace('.', '/')}.py"


def _class_name(module):
    return f"_{module.replace('.', '_')}"
