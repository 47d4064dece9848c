"""A module of the device code as the joined module needs it: what it defines and imports, and its source rewritten.

bundle.py has what is done with it.
"""

import ast
from collections import namedtuple

from build.tools.shell import BuildError

# What a name of a module stands for: `name` as the module defines it; name None: that module itself.
Origin = namedtuple("Origin", "module name")
CONST = Origin("protocol", "const")

_CPYTHON_ONLY = b"# CPython"
_IS_MICROPYTHON = "sys.implementation.name == 'micropython'"
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DEFINITIONS = (*_FUNCTIONS, ast.ClassDef)
_CONSTANT = (ast.Constant, ast.Name, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.expr_context)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Module:
    """A module's source, and what is in it for a board.

    Args: name: dotted; source: bytes; known: the names of all modules of the device code.

    `names`: {name: Origin}, of what it defines and imports; `imports`: the known modules that it imports when it is
    imported; `constants`: {name: node of the value}; `passed_on`: names that it imports for others.

    Raises: BuildError.
    """

    def __init__(self, name, source, known):
        self.name = name
        self.lines = source.split(b"\n")
        self.tree = ast.parse(source, name)
        self.names = {}
        self.imports = []
        self.constants = {}
        self.passed_on = set()
        self.left_out = []  # parts for CPython: (line of `try` or `if`, first line, last line), from 1
        self._known = known
        self.body = list(self._executed(self.tree.body))
        for statement in self.body:
            self._define(statement)

    def fault(self, node, what):
        return BuildError(f"{self.name.replace('.', '/')}.py, line {node.lineno}: {what}")

    def is_plain(self, name):
        """Returns True for what the module defines itself, but not for a class of exceptions or of Python's."""
        classes = [node for node in self.body if isinstance(node, ast.ClassDef) and node.name == name]
        return not any(node.bases for node in classes)

    def function_at(self, line):
        """Returns " in Link.run", for the line of a function; "" elsewhere."""
        names = []
        for node in ast.walk(self.tree):  # the outer ones first
            if isinstance(node, _DEFINITIONS) and node.lineno <= line <= node.end_lineno:
                names.append(node.name)
        return f" in {'.'.join(names)}" if names else ""

    def is_left_out(self, node):
        """Returns True if the node is in a part for CPython."""
        return any(first <= node.lineno <= last for _, first, last in self.left_out)

    def _executed(self, body):
        """Yields the simple statements and definitions that a board executes when it imports the module."""
        for node in body:
            if isinstance(node, ast.Try) and any(_CPYTHON_ONLY in self.lines[one.lineno - 1] for one in node.handlers):
                if len(node.handlers) != 1 or node.orelse or node.finalbody:
                    raise self.fault(node, "a `try` with a part for CPython has no third part")
                self.left_out.append((node.lineno, node.handlers[0].lineno, node.end_lineno))
                yield from self._executed(node.body)
            elif isinstance(node, ast.Try):
                parts = (node.body, *(handler.body for handler in node.handlers), node.orelse, node.finalbody)
                for part in parts:
                    yield from self._executed(part)
            elif isinstance(node, ast.If) and ast.unparse(node.test) == _IS_MICROPYTHON:
                self.left_out.append((node.lineno, node.body[-1].end_lineno + 1, node.end_lineno))
                yield from self._executed(node.body)
            else:
                yield node

    def _define(self, node):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                self.import_from(node, alias)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if "." in alias.name or alias.name in self._known:
                    raise self.fault(node, f"write `from {alias.name} import ..`")
                self.names[alias.asname or alias.name] = Origin(alias.name, None)
        elif isinstance(node, _DEFINITIONS):
            self.names[node.name] = Origin(self.name, node.name)
        else:
            for name in _bound([node]):
                self.names[name] = Origin(self.name, name)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self._define_constant(node.targets[0].id, node.value)

    def _define_constant(self, name, value):
        """Notes a constant: NAME = const(..), or NAME = an expression of numbers, texts and other constants."""
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "const":
            self.constants[name] = value.args[0]
        elif name.isupper() and all(isinstance(part, _CONSTANT) for part in ast.walk(value)):
            if all(part.id in self.constants or part.id in self.names and part.id.isupper()
                   for part in ast.walk(value) if isinstance(part, ast.Name)):  # fmt: skip
                self.constants[name] = value

    def import_from(self, node, alias):
        if node.level or alias.name == "*":
            raise self.fault(node, "name what is imported, and the module by its whole name")
        name = alias.asname or alias.name
        whole = f"{node.module}.{alias.name}"
        self.names[name] = origin = Origin(whole, None) if whole in self._known else Origin(node.module, alias.name)
        if origin.module in self._known and origin.module not in self.imports:
            self.imports.append(origin.module)
        if b"F401" in self.lines[node.lineno - 1] or self.left_out:
            self.passed_on.add(name)


class Rewriter:
    """Rewrites a module's source, line by line.

    Args: bundle: Bundle; module: Module; joined: True: it becomes a part of the bundle; False: it stays a module, and
    what it imports of joined modules comes from the bundle.
    """

    def __init__(self, bundle, module, joined):
        self._bundle = bundle
        self._module = module
        self._joined = joined
        self._imported = self._imports_in_functions()
        self._within = None  # Origin of the definition that is being rewritten
        self.asked = set()  # names of attributes of objects
        self.uses = {None: set()}  # Origin of a definition: those of what it uses; None: of the rest of the module
        self._edits = []  # (first line from 0, first byte in it, last line, byte after the last, new text)

    def _imports_in_functions(self):
        """Returns the names that functions import of joined modules: they are in memory, so they are the module's."""
        module, found = self._module, set()
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom) and node not in module.body and not module.is_left_out(node):
                for alias in node.names:
                    if {node.module, f"{node.module}.{alias.name}"} & self._bundle.joined:
                        found.add(alias.asname or alias.name)
                        module.import_from(node, alias)
        for node in ast.walk(module.tree):
            names = [getattr(node, "arg", None)]
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.append(node.id)
            if found.intersection(names):
                raise module.fault(node, f"{', '.join(found)}: a function imports what has the same name")
        return found

    def _bound(self, body):
        return _bound(body) - self._imported

    def source(self):
        """Returns the new source: as many lines as the old one. Raises: BuildError."""
        module = self._module
        for opening, first, last in module.left_out:
            if self._joined:
                self._edit(opening - 1, 0, opening - 1, len(module.lines[opening - 1]), "if 1:")
                self._edit(first - 1, 0, last - 1, len(module.lines[last - 1]), "\n" * (last - first))
        for node in module.body:
            self._statement(node)
        lines = list(module.lines)
        for first, start, last, end, text in sorted(self._edits, reverse=True):
            lines[first : last + 1] = (lines[first][:start] + text.encode() + lines[last][end:]).split(b"\n")
        return b"\n".join(lines).decode()

    def _edit(self, *edit):
        self._edits.append(edit)

    def _replace(self, node, text):
        self._edit(node.lineno - 1, node.col_offset, node.end_lineno - 1, node.end_col_offset, text)

    def _replace_statement(self, node, texts):
        self._replace(node, ("; ".join(texts) or "pass") + "\n" * (node.end_lineno - node.lineno))

    def _statement(self, node):
        """Rewrites a statement of the module itself."""
        if self._joined and isinstance(node, (ast.If, ast.For, ast.While, ast.With)):
            raise self._module.fault(node, "a module that is joined has only definitions, and `try` around them")
        if isinstance(node, ast.ImportFrom):
            self._import_from(node)
        elif isinstance(node, ast.Import):
            self._import(node)
        elif self._joined and isinstance(node, ast.Assign) and node.targets[0].id in self._module.constants:
            # Its value stands where it is used.
            name = node.targets[0].id
            stays = name in self._bundle.public_constants(self._module)
            value = self._bundle.value(Origin(self._module.name, name))
            self._replace_statement(node, [f"{name} = {value!r}"] if stays else [])
        elif isinstance(node, _DEFINITIONS) or self._joined and _is_value(node):
            name = node.name if isinstance(node, _DEFINITIONS) else node.targets[0].id
            self._within = Origin(self._module.name, name)
            self.uses[self._within] = set()
            if self._joined and self._within in self._bundle.unused:
                self._leave_out(node)
            else:
                self._visit(node, {})
                if isinstance(node, _DEFINITIONS):
                    self._definition(node)
            self._within = None
        else:
            self._visit(node, {})

    def _leave_out(self, node):
        first = min([node, *getattr(node, "decorator_list", ())], key=lambda one: one.lineno).lineno - 1
        lines = node.end_lineno - 1 - first
        self._edit(first, node.col_offset, node.end_lineno - 1, node.end_col_offset, "pass" + "\n" * lines)

    def _definition(self, node):
        new = self._name(node.name)
        if new != node.name:
            line, at = node.lineno - 1, self._place_of_name(node)
            self._edit(line, at, line, at + len(node.name.encode()), new)

    def _place_of_name(self, node):
        return self._module.lines[node.lineno - 1].index(b" " + node.name.encode(), node.col_offset + 3) + 1

    def _shorten(self, name, line, at):
        """Puts the short name of an attribute in its place."""
        if name in self._bundle.short.attributes:
            self._edit(line, at, line, at + len(name), self._bundle.short.attributes[name])

    def _import(self, node):
        if not self._joined:
            return
        new = [(alias.name, self._name(alias.asname or alias.name)) for alias in node.names]
        self._replace_statement(node, [f"import {_as(old, name)}" for old, name in new])

    def _import_from(self, node):
        bundle, module = self._bundle, self._module
        here, taken = [], []  # from where it is imported now, from the bundle
        for alias in node.names:
            name = alias.asname or alias.name
            origin = bundle.origin(module, name)
            if origin == CONST:
                here += ["const"] if self._uses_const() else []
            elif bundle.is_constant(origin):
                continue
            elif origin.module not in bundle.joined and node.module not in bundle.joined:
                here.append(_as(alias.name, self._name(name)))
            elif origin.name is not None and not self._joined:
                taken.append(_as(bundle.new_name(origin), name))
                self.uses[None].add(origin)
            elif origin.name is None and not self._joined and origin.module in bundle.joined:
                taken += self._attributes(origin.module, name)
        texts = [f"from {'micropython' if here == ['const'] else node.module} import {', '.join(here)}"] if here else []
        if taken:
            texts.append(f"from {bundle.name} import {', '.join(taken)}")
        self._replace_statement(node, texts)

    def _uses_const(self):
        """Returns False if all that the module calls const for stands as a value where it is used."""
        uses = [node for node in ast.walk(self._module.tree) if isinstance(node, ast.Call) and _called(node) == "const"]
        return not self._joined or any(node.args[0] not in self._module.constants.values() for node in uses)

    def _attributes(self, module, name):
        """Returns what this module, which is not joined, uses of a joined one by its name."""
        bundle, found = self._bundle, []
        for node in ast.walk(self._module.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name:
                origin = self._origin_of(node)
                self.uses[None].add(origin)
                if not bundle.is_constant(origin) and bundle.new_name(origin) not in found:
                    found.append(bundle.new_name(origin))
        return found

    def _visit(self, node, local):
        """Rewrites the names in the node. local: {name that the functions around it define: its new name}."""
        if isinstance(node, ast.Name):
            if local.get(node.id, node.id) != node.id:
                self._replace(node, local[node.id])
            elif node.id not in local and isinstance(node.ctx, (ast.Load, ast.Store)):
                self._use(node, self._bundle.origin(self._module, node.id), self._name(node.id))
        elif isinstance(node, ast.Attribute):
            origin = None
            if isinstance(node.value, ast.Name) and node.value.id not in local:
                origin = self._origin_of(node)
            if origin is None:
                self.asked.add(node.attr)
                self._visit(node.value, local)
                self._shorten(node.attr, node.end_lineno - 1, node.end_col_offset - len(node.attr))
            else:
                self._use(node, origin, self._bundle.new_name(origin))
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            raise self._module.fault(node, "`global` and `nonlocal` cannot be joined")
        elif isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            self._function(node, local)
        elif isinstance(node, ast.ClassDef):
            bound = {name: self._bundle.short.attributes.get(name, name) for name in self._bound(node.body)}
            for part in ast.iter_child_nodes(node):
                if self._joined and (self._module.name, node.name, getattr(part, "name", None)) in self._bundle.idle:
                    self._leave_out(part)
                    continue
                self._visit(part, local if isinstance(part, _FUNCTIONS) or part not in node.body else local | bound)
                if isinstance(part, _FUNCTIONS):
                    self._shorten(part.name, part.lineno - 1, self._place_of_name(part))
        elif isinstance(node, _COMPREHENSIONS):
            for part in ast.iter_child_nodes(node):
                self._visit(part, local | _same(self._bound([one.target for one in node.generators])))
        elif isinstance(node, ast.ImportFrom):
            if self._imported.intersection(alias.asname or alias.name for alias in node.names):
                self._import_from(node)
        else:
            for part in ast.iter_child_nodes(node):
                self._visit(part, local)

    def _function(self, node, local):
        every = node.args
        for part in (*getattr(node, "decorator_list", ()), *every.defaults, *filter(None, every.kw_defaults)):
            self._visit(part, local)
        named = (*every.posonlyargs, *every.args, *every.kwonlyargs, every.vararg, every.kwarg)
        body = node.body if isinstance(node.body, list) else [node.body]
        short = self._bundle.short.arguments(self._module.name, node, set(local.values())) if self._joined else {}
        for one in filter(None, named):
            line, at = one.lineno - 1, one.col_offset
            self._edit(line, at, line, at + len(one.arg), short.get(one.arg, one.arg))
        inner = local | _same(self._bound(body)) | {one.arg: short.get(one.arg, one.arg) for one in named if one}
        for part in body:
            self._visit(part, inner)

    def _use(self, node, origin, new):
        """Puts a constant's value or the new name in the place of a name."""
        if origin is None or origin == CONST:
            return
        self.uses[self._within].add(origin)
        if self._bundle.is_constant(origin):
            self._replace(node, repr(self._bundle.value(origin)))
        elif new != self._module.lines[node.lineno - 1][node.col_offset : node.end_col_offset].decode():
            self._replace(node, new)

    def _name(self, name):
        """Returns the new name of a name of the module, or the same if it is one of Python's."""
        origin = self._bundle.origin(self._module, name)
        if origin is None or origin == CONST or not self._joined or self._bundle.is_constant(origin):
            return name
        return self._bundle.new_name(origin)

    def _origin_of(self, node):
        """Returns the Origin of `module.name`, where `module` is one that is joined; else None."""
        bundle = self._bundle
        owner = bundle.origin(self._module, node.value.id)
        if owner is None or owner.name is not None or owner.module not in bundle.joined:
            return None
        origin = bundle.origin(bundle.module(owner.module), node.attr)
        if origin is None:
            raise self._module.fault(node, f"{owner.module} has no {node.attr}")
        return origin


def used_in_classes(tree):
    """Returns the names that bodies of classes use outside of functions, where the names of the class come first."""
    found = set()
    todo = [part for node in ast.walk(tree) if isinstance(node, ast.ClassDef) for part in node.body]
    while todo:
        part = todo.pop()
        if isinstance(part, _FUNCTIONS):
            todo += [*part.decorator_list, *part.args.defaults, *filter(None, part.args.kw_defaults)]
            continue
        if isinstance(part, ast.Name):
            found.add(part.id)
        todo += ast.iter_child_nodes(part)
    return found


def _is_value(node):
    """True for NAME = value."""
    return isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)


def _called(call):
    return call.func.id if isinstance(call.func, ast.Name) else None


def _same(names):
    return {name: name for name in names}


def _as(old, new):
    return old if old == new else f"{old} as {new}"


def _bound(body):
    """Returns the names that these nodes bind, without those in functions and classes in them."""
    found = set()
    todo = list(body)
    while todo:
        node = todo.pop()
        if isinstance(node, _DEFINITIONS):
            found.add(node.name)
            continue
        if isinstance(node, ast.Lambda):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            found.add(node.id)
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        todo += ast.iter_child_nodes(node)
    return frozenset(found)
