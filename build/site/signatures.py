"""The signatures of the stubs (`.pyi`): the modules themselves have no annotations, since boards would pay for them."""

import ast


class Stubs:
    """The stubs below a folder.

    Args: root: the checkout; places: {module: the module whose stub has its names}, where that is another one, and
    {"module.Class": "module.Class"} for a class whose members another one of the stubs has.
    """

    def __init__(self, root, places=None):
        self._root = root
        self._places = places or {}
        self._trees = {}

    def signature(self, module, name):
        """Returns (arguments, what is returned or None) as Python writes them, or None if no stub has this name.

        name: "function", "Class" or "Class.method"; of a class they are those of its constructor.
        """
        found = self._find(*self._placed(module, name))
        if isinstance(found, ast.ClassDef):
            found = self._member(found, "__init__")
            return found and (_arguments(found, method=True), None)
        if found is None:
            return None
        return _arguments(found, method="." in name and not _is_static(found)), _returned(found)

    def has(self, module, name):
        """Returns True or False: whether the stub of the class in name, "Class.member", has the member; None if no stub
        has the class. What users may call is what the stubs have."""
        module, name = self._placed(module, name)
        scope, _, member = name.rpartition(".")
        found = scope and self._find(module, scope)
        if not isinstance(found, ast.ClassDef):
            return None
        names = {one.target.id for one in found.body if isinstance(one, ast.AnnAssign)}
        return member in names or self._member(found, member) is not None

    def _tree(self, module):
        if module not in self._trees:
            path = self._root.joinpath(*module.split("."))
            stubs = (path.with_suffix(".pyi"), path / "__init__.pyi")
            there = next((stub for stub in stubs if stub.exists()), None)
            self._trees[module] = there and ast.parse(there.read_text(encoding="utf-8"))
        return self._trees[module]

    def _placed(self, module, name):
        """Returns (module, name) as the stubs have them."""
        scope, dot, member = name.partition(".")
        place = self._places.get(f"{module}.{scope}")
        if place:
            module, _, scope = place.rpartition(".")
        return self._places.get(module, module), scope + dot + member

    def _find(self, module, name):
        found = self._tree(module)
        for part in name.split("."):
            found = found and self._member(found, part)
        return found

    @staticmethod
    def _member(scope, name):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        return next((one for one in scope.body if isinstance(one, kinds) and one.name == name), None)


def _is_static(function):
    return any(isinstance(one, ast.Name) and one.id == "staticmethod" for one in function.decorator_list)


def _arguments(function, method):
    arguments = function.args
    if method:
        arguments.args = [one for one in arguments.args if one.arg != "self"]
    return f"({ast.unparse(arguments)})"


def _returned(function):
    """What a call gives: of a coroutine what awaiting it gives, since that is what a reader writes."""
    returned = function.returns
    if isinstance(returned, ast.Subscript) and getattr(returned.value, "id", "") == "Coroutine":
        returned = returned.slice.elts[2]
    return returned and ast.unparse(returned)

