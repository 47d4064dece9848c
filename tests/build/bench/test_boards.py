"""build/bench/boards.py: what is measured on boards is the same wherever it was made."""

from build.bench import boards
from build.tools.cache import ROOT


def test_compiled_files_do_not_tell_where_they_were_made(tmp_path, mpy_cross):
    """The name of the source is in the file, and takes heap on the board."""
    boards.compiled(tmp_path, "build/__init__.py")
    compiled = list(tmp_path.rglob("*.mpy"))
    assert len(compiled) > 50
    assert not [path for path in compiled if str(ROOT).encode() in path.read_bytes()]
    assert b"pb_link/link.py" in (tmp_path / "pb_link" / "link.mpy").read_bytes()
