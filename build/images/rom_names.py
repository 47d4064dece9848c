"""Names that every MicroPython has in its firmware: as short names of a joined program they take no RAM.

They are the names that a .mpy file refers to by number, so the list is part of that format and stays the same
(MicroPython, py/makeqstrdata.py, static_qstr_list); a test compares. Left out are those that MicroPython asks objects
for (ASKED), names with a meaning for its compiler (`const`) or in an error (`NoneType`), and what is no name of
Python's, or has underscores in front. MORE are names of the modules gc, sys, struct and micropython, which each
firmware has as well.
"""

import ast
import builtins

# Asked of an object in place of a generator, of what a dict is made of, of an exception, of a stream, and of what a
# task waits for.
ASKED = frozenset("args close errno keys read readinto readline remove send throw value write".split())

STATIC = tuple((
    "append bytecode clear copy count end endswith extend find from_bytes get index insert "
    "isalpha isdigit islower isspace isupper items join key little lower lstrip main pop popitem replace "
    " reverse rfind rindex rsplit rstrip sep setdefault sort split start startswith step stop strip "
    "to_bytes update upper values "
    "abs all any bool bytearray bytes callable chr classmethod dict dir divmod eval exec format getattr globals "
    "hasattr hash id int isinstance issubclass iter len list locals map next object open ord pow print range repr "
    "round set setattr sorted staticmethod str sum super tuple type zip "
    "ArithmeticError AssertionError AttributeError BaseException EOFError Ellipsis Exception GeneratorExit ImportError "
    "IndentationError IndexError KeyError KeyboardInterrupt LookupError MemoryError NameError NotImplementedError "
    "OSError OverflowError RuntimeError StopIteration SyntaxError SystemExit TypeError ValueError ZeroDivisionError"
).split())  # fmt: skip
MORE = tuple((
    "argv byteorder calcsize disable enable heap_lock heap_unlock implementation isenabled kbd_intr maxsize mem_info "
    "modules opt_level path platform print_exception qstr_info stack_use stderr stdin stdout threshold unpack version "
    "version_info"
).split())  # fmt: skip
_BUILTIN = frozenset(dir(builtins))


def identifiers(trees):
    """Returns all names in these sources: of variables, attributes, arguments, functions, classes and modules."""
    found = set()
    for tree in trees:
        for node in ast.walk(tree):
            for field in ("id", "attr", "arg", "name", "asname"):
                name = getattr(node, field, None)
                if isinstance(name, str):
                    found.update(name.split("."))
            if isinstance(node, ast.ImportFrom):
                found.update(node.module.split("."))
    return found


def unused(trees):
    """Returns the names of STATIC that nothing in these sources has, those of no builtin first, then those of MORE; and
    the other names of STATIC that are no builtins."""
    used = identifiers(trees)
    free = [name for name in STATIC if name not in used]
    free = [*sorted(free, key=lambda name: name in _BUILTIN), *(name for name in MORE if name not in used)]
    return free, [name for name in STATIC if name in used - _BUILTIN]
