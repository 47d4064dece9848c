"""Compiles what a board is to run, and ends it when a task of it dies."""

import usys


def program(path, *arguments):
    """The compiled program of a file, to be executed in `__main__`."""
    fail_with_tasks()
    usys.argv[:] = (path,) + arguments
    with open(path) as source:
        return compile(source.read(), path, "exec")


def fail_with_tasks():
    """From now on a task that dies, and that nobody awaits, ends the program with status 1 and the traceback.

    On a board asyncio prints it and goes on, with a program that looks healthy. A program keeps a handler of its own.
    """
    from asyncio import core

    def ends(loop, context):
        print("Task exception wasn't retrieved: the simulator ends the program")
        usys.print_exception(context["exception"])
        raise SystemExit(1)

    core.Loop.default_exception_handler = staticmethod(ends)
