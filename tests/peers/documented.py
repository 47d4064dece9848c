"""The commands and programs of the documents, and a shell that a user types them into."""

import contextlib
import fcntl
import os
import re
import select
import shlex
import subprocess
import termios
import time
from pathlib import Path

from tests.peers.processes import ROOT, Program

DOCUMENTS = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
# What shows commands in its text alone: pages beside the code, and the heads of the examples.
TEXTS = (
    "examples/README.md", "firmware/README.md",
    *sorted(f"examples/{path.name}" for path in (ROOT / "examples").glob("*.py")),
)  # fmt: skip
COMMAND_S = 300  # bound on a command that ends by itself: a loaded machine, and a virtual environment that is made

BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"\s+# .*$")
INLINE = re.compile(r"`((?:python3|pb-link|make|mpremote|pip|micropython) [^`\n]+)`")
# What keeps a shell's state from one command to the next.
RUN = "cd -- {cwd} && {command}\nstatus=$?; pwd >{state}/cwd; env -0 >{state}/env; exit $status"


def all_blocks(document):
    """Returns (what stands behind the fence, text) of each fenced block in a document, in their order."""
    return BLOCK.findall((ROOT / document).read_text(encoding="utf-8"))


def blocks(document, language):
    """Returns the texts of the fenced blocks of a document behind whose fence the language stands alone."""
    return [text for name, text in all_blocks(document) if name == language]


def commands(block):
    """Returns the commands of a block, without comments."""
    return [command for line in block.splitlines() if (command := COMMENT.sub("", line).strip())]


def inline(document):
    """Returns the commands in backquotes within a document's text. A line may end within one, a paragraph may not."""
    text = BLOCK.sub("", (ROOT / document).read_text(encoding="utf-8"))
    text = re.sub(r"(?<!\n)\n(?!\n)", " ", text)
    return sorted(set(INLINE.findall(text)))


def copy_checkout(folder):
    """Copies the project's files, as `git clone` of a commit of them would, and makes folder a repository."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
            (folder / name).chmod((ROOT / name).stat().st_mode)
    commit = ["-c", "user.name=user", "-c", "user.email=user@example.invalid", "commit", "-qm", "a copy"]
    for words in (["init", "--quiet"], ["add", "--all"], commit):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)


class Shell:
    """A user's shell. Each command sees the folder and the environment that the one before it has left.

    Args: folder: where it starts, empty; state: a folder for its own files; env: added to the environment.
    """

    def __init__(self, folder, state, **env):
        self._state = state
        self.cwd = Path(folder)
        self.env = {**os.environ, "HOME": str(folder), "PYTHONUNBUFFERED": "1", **env}
        for name in ("PYTHONPATH", "MICROPYPATH", "VIRTUAL_ENV"):
            self.env.pop(name, None)

    def run(self, command, answers=()):
        """Runs a command to its end, which must be a good one. Returns its output.

        answers: (prompt, what is typed once the prompt is there) of each question, in their order.
        """
        text = RUN.format(cwd=shlex.quote(str(self.cwd)), command=command, state=shlex.quote(str(self._state)))
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            ["bash", "-c", text], env=self.env, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)
        try:
            output = _converse(ours, answers)
            status = process.wait(COMMAND_S)
        finally:
            process.kill()
            os.close(ours)
        assert status == 0, f"{command}: status {status}\n{output}"
        self.cwd = Path((self._state / "cwd").read_text().rstrip("\n"))
        words = (self._state / "env").read_text().split("\0")
        self.env = dict(word.split("=", 1) for word in words if "=" in word)
        return output

    @contextlib.contextmanager
    def running(self, command):
        """A Program, in a terminal of its own, that is ended at the end."""
        program = Program(["bash", "-c", f"exec env {command}"], self.cwd, self.env)
        try:
            yield program
        finally:
            program.stop()


def _converse(terminal, answers):
    """Returns what is printed on a terminal until its last program has closed it. Types each answer at its prompt."""
    waiting = list(answers)
    output = ""
    seen = 0  # characters of the output before the prompt that is answered next
    limit = time.monotonic() + COMMAND_S
    while (left := limit - time.monotonic()) > 0 and select.select([terminal], [], [], left)[0]:
        try:
            output += os.read(terminal, 4096).decode("utf-8", "replace")
        except OSError:  # closed
            assert not waiting, f"it did not ask for {waiting}: {output}"
            return output
        if waiting and waiting[0][0] in output[seen:]:
            seen = len(output)
            os.write(terminal, waiting.pop(0)[1].encode())
    raise AssertionError(f"it does not end: {output}")
