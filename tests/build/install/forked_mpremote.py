"""mpremote, run in forks of a process that has imported it: `python3 -m mpremote` imports for most of its time.

As a program: for each line of stdin, a JSON list of working folder, files for stdout and stderr, and mpremote's words,
it runs mpremote with these words to its end, and prints its exit status.
"""

import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

COMMAND = [sys.executable, "-m", "mpremote"]


class ForkedMpremote:
    """Takes the place of the module subprocess in a module that only runs mpremote."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, command, capture_output, encoding, errors):
        """As subprocess.run. Each run sees the working folder, and the environment of the first of all runs."""
        assert command[:3] == COMMAND and capture_output, command
        with tempfile.TemporaryDirectory(prefix="pb_link_mpremote_") as folder:
            files = [str(Path(folder) / name) for name in ("stdout", "stderr")]
            print(json.dumps([os.getcwd(), files, command[2:]]), file=self._process.stdin, flush=True)
            status = int(self._process.stdout.readline())
            said = [Path(file).read_text(encoding=encoding, errors=errors) for file in files]
        return subprocess.CompletedProcess(command, status, *said)

    def close(self):
        self._process.communicate()


def _run(folder, files, words):
    """In the fork. Returns mpremote's exit status."""
    from mpremote import main

    os.chdir(folder)
    for number, file in zip((0, 1, 2), (os.devnull, *files)):
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.argv[:] = words
    try:
        sys.exit(main.main())
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return end.code if isinstance(end.code, int) else int(end.code is not None)


def _serve():
    import mpremote.main  # noqa: F401

    while line := sys.stdin.readline():
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = _run(*json.loads(line))
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
