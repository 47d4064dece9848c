"""What a user's own file, such as world.py, has done wrong in a run, in words that name the place in it."""

import traceback


class OwnCodeFailed(ValueError):
    """A function or a method of the user's has raised something, or returned what it may not. Its text is one line;
    `trace`: the traceback within the user's files, or "". It ends the run."""

    def __init__(self, text, trace=""):
        super().__init__(text)
        self.trace = trace


def trace_from(error, entry):
    """Returns the traceback of an exception as text, from an entry of it on."""
    return "".join(traceback.format_exception(type(error), error, entry))


def failure_in(path, error):
    """Returns the OwnCodeFailed for an exception that has come through a file, or None if it has not. Args: path: of
    the file, or None."""
    if isinstance(error, OwnCodeFailed):
        return error
    entry = error.__traceback__
    while entry is not None and entry.tb_frame.f_code.co_filename != str(path):
        entry = entry.tb_next
    if entry is None:
        return None
    what = f"{entry.tb_frame.f_code.co_qualname} of {path}, line {entry.tb_lineno},"
    return OwnCodeFailed(f"{what} has raised {type(error).__name__}: {error}", trace_from(error, entry))
