"""The joined client has each public name and argument of the stubs: what is shortened is seen by no user."""

import ast

import pytest

from build.install import client_package

STUBS = client_package.ROOT / "pb_link"
# Classes of the stubs under other names than those of the source.
CLASSES = {"_Channel": ("pb_link.channels", "ClientChannel"), "_Message": ("pb_link.channels", "Message")}
OF_USERS = ("_Watchdog",)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@pytest.fixture(scope="module")
def bundle():
    return client_package.bundle()


def arguments(function):
    found = function.args
    return [one.arg for one in (*found.posonlyargs, *found.args, *found.kwonlyargs)], len(found.defaults)


def differing(stub, tree, name):
    """Returns what the class of the stub has and that of the tree has not, or with other arguments."""
    (made,) = (one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == name)
    methods = {one.name: arguments(one) for one in made.body if isinstance(one, FUNCTIONS)}
    asked = {one.attr for one in ast.walk(made) if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store)}
    found = []
    for one in stub.body:
        if isinstance(one, FUNCTIONS) and methods.get(one.name) != arguments(one):
            found.append(f"{name}.{one.name}{arguments(one)}, not {methods.get(one.name)}")
        elif isinstance(one, ast.AnnAssign) and one.target.id not in asked:
            found.append(f"{name}.{one.target.id}")
    return found


def test_classes_of_the_joined_client_have_the_names_of_their_stub(bundle):
    stubs = ast.parse((STUBS / "app_base.pyi").read_text())
    found, seen = [], 0
    for stub in stubs.body:
        if isinstance(stub, ast.ClassDef) and stub.name not in OF_USERS:
            module, name = CLASSES.get(stub.name, ("pb_link.app_base", stub.name))
            found += differing(stub, ast.parse(bundle.beside(module)), name)
            seen += 1
    assert seen == 3 and found == []


def test_a_changed_argument_would_be_found():
    stub = ast.parse("class A:\n    number: int\n    def send(self, data, qos=True): ...\n").body[0]
    tree = ast.parse("class A:\n    def send(self, append, qos=True):\n        self.count = 1\n")
    assert [one.partition("(")[0] for one in differing(stub, tree, "A")] == ["A.number", "A.send"]


@pytest.mark.parametrize("name", ["config", "selftest"])
def test_modules_that_users_import_have_the_names_of_their_stubs(bundle, name):
    wanted = {}
    for one in ast.parse((STUBS / f"{name}.pyi").read_text()).body:
        if isinstance(one, FUNCTIONS):
            wanted[one.name] = arguments(one)
        elif isinstance(one, ast.AnnAssign):
            wanted[one.target.id] = None
    tree = ast.parse(bundle.beside(f"pb_link.{name}"))
    made = {node.name: arguments(node) for node in tree.body if isinstance(node, FUNCTIONS)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            made[node.id] = None
    assert {one: made.get(one, "missing") for one in wanted} == wanted


def test_settings_are_read_under_their_public_names(bundle):
    """On a board by position: its module is joined with the checks, and forgotten with them."""
    tree = ast.parse(bundle.beside("pb_link.settings"))
    names = {one.asname or one.name for node in tree.body if isinstance(node, ast.ImportFrom) for one in node.names}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert {"FILE", "read"} <= names


def test_hooks_are_called_by_their_names(bundle):
    """A subclass of AppBase has them, and it is not compiled with the client."""
    tree = ast.parse(bundle.source())
    called = {one.func.attr for one in ast.walk(tree) if isinstance(one, ast.Call) and hasattr(one.func, "attr")}
    named = {one.value for one in ast.walk(tree) if isinstance(one, ast.Constant)}
    assert {"resumed", "server_ok", "start", "bad_wifi", "bad_server", "report"} <= called and "resumed" in named
