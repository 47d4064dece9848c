"""Which names of the device code may be written shorter in a joined program, and shared by several things.

A board keeps each different name once, and room for as many again: several KB for all names of a program. A name that
is seen by one class alone can be the same as one that is seen by another class alone. So attributes and methods are
given the same few names in each class, and arguments in each function, where nothing else sees them: neither users, nor
objects that are made by MicroPython and have the same name. These few are names that every firmware has
(rom_names.py), and `_a`, `_b`, .. or `a`, `b`, .. if there are not enough.
"""

import ast
import itertools
import string

from build.images import rom_names

# Names of classes of the device code that objects of MicroPython have as well; a test compares with its source.
TAKEN = frozenset((
    "RX TX accept access append buf buffer busy channel clear close count create_task device digest disconnect end "
    "entry feed fill free get groups ioctl memory mode next open pins poll port power put read release remove reset "
    "restart run send set sleep slot start state status strip tell update user wait waiting wake write"
).split())  # fmt: skip

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def numbered(prefix):
    """Yields prefix + "a", .., prefix + "z", prefix + "aa", .."""
    for length in itertools.count(1):
        for letters in itertools.product(string.ascii_lowercase, repeat=length):
            yield prefix + "".join(letters)


class ShortNames:
    """`attributes`: {name: short name}, for a whole program.

    Args: trees: {module name: ast.Module}, all of the program; kept: names of modules whose classes are subclassed by
    users, or whose functions they call: these keep their names; joined: names of modules of which users see
    nothing: public names of others stay; layouts: {name of a class: its names} of classes that stand for modules;
    closed: modules of kept ones of whose classes users make no subclass; foreign: names that objects of other programs
    have; hidden: public names of kept modules that users do not see.
    """

    def __init__(self, trees, kept, joined, layouts=None, closed=(), foreign=(), hidden=()):
        self._kept = kept
        self._hidden = frozenset(hidden)
        self._closed = closed
        self._joined = joined
        self._taken = TAKEN.union(foreign)
        self._keywords = set()  # names of arguments that some call gives
        families = {}  # class name: the set of names of its family, shared by its base classes
        owners = {}  # private name: class names
        self._texts = set()
        self._asked = set()  # names of attributes
        self._methods = set()  # (module, class, name) of the methods of classes without a base class
        unread = set()  # docstrings, which no program reads; ast.walk has each after its statement
        for module, tree in trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.Call):
                    self._keywords |= {one.arg for one in node.keywords}
                elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                    unread.add(node.value)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in unread:
                    self._texts.update(node.value.split())
                elif isinstance(node, ast.Attribute):
                    self._asked.add(node.attr)
                elif isinstance(node, ast.ClassDef):
                    self._look_at(node, module, families, owners)
                    methods = [one.name for one in node.body if isinstance(one, _DEFINITIONS) and not node.bases]
                    self._methods.update((module, node.name, name) for name in methods)
        for owner, names in (layouts or {}).items():
            for name in names - self._taken:
                owners.setdefault(name, set()).add(owner)
            families[owner] = {owner}
        self._rom, self._rom_arguments = rom_names.unused(trees.values())
        self.attributes = self._coloured(families, owners)

    def idle_methods(self):
        """Returns {(module, class, name), ..} of methods in joined modules of which users see nothing that neither the
        program nor MicroPython asks for."""
        asked = self._asked | self._texts | TAKEN | rom_names.ASKED
        return frozenset(
            (module, owner, name)
            for module, owner, name in self._methods
            if module in self._joined and module not in self._kept and name not in asked and not name.startswith("__")
        )

    def definitions(self):
        """Yields names for functions and classes of the joined module. Nothing in it has another meaning for one."""
        yield from self._rom
        yield from numbered("_")

    def _look_at(self, node, module, families, owners):
        family = families.setdefault(node.name, {node.name})
        for base in node.bases:
            name = base.attr if isinstance(base, ast.Attribute) else base.id
            family |= families.get(name, {name})
            for one in family:
                families[one] = family
        for name in _names_of(node):
            if name.startswith("_"):
                seen = module in self._kept and module not in self._closed
            else:
                seen = module in self._kept and name not in self._hidden
                seen = seen or module not in self._joined or name in self._taken
            owners.setdefault(name, set()).add(None if seen else node.name)

    def _coloured(self, families, owners):
        """Gives each name the first short one that no other name of a class with it has."""
        taken = {}  # class name: short names
        found = {}
        for name in sorted(owners, key=lambda name: (-len(owners[name]), name)):
            if None in owners[name] or name in self._texts:
                continue
            classes = set().union(*(families[one] for one in owners[name]))
            used = set().union(*(taken.get(one, set()) for one in classes))
            used |= owners.keys() | self._texts | rom_names.ASKED
            found[name] = next(short for short in self.definitions() if short not in used)
            for one in classes:
                taken.setdefault(one, set()).add(found[name])
        return found

    def arguments(self, module, node, taken=frozenset()):
        """Returns {argument: short name} of a function of the module. taken: new names that the functions around it
        define."""
        if module in self._kept and not self._is_hidden(module, getattr(node, "name", "")):
            return {}
        every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        used = taken | {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
        used |= {one.arg for one in ast.walk(node) if isinstance(one, ast.arg)} | self._keywords
        short = (name for name in itertools.chain(self._rom_arguments, numbered("")) if name not in used)
        named = [one.arg for one in every if one.arg != "self" and one.arg not in self._keywords]
        return {name: next(short) for name in named if len(name) > 1}

    def _is_hidden(self, module, name):
        """Returns True for a function of a kept module that no user calls."""
        private = name.startswith("_") and not name.startswith("__")
        return module in self._closed and (private or name in self._hidden)


def _names_of(node):
    """Returns the names that a class defines, and the private ones that it asks its own objects for."""
    found = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "self":
            if one.attr.startswith("_") or isinstance(one.ctx, ast.Store):
                found.add(one.attr)
    for one in node.body:
        if isinstance(one, _DEFINITIONS):
            found.add(one.name)
        elif isinstance(one, ast.Assign):
            found |= {name.id for target in one.targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return {name for name in found if not name.startswith("__")}
