"""The cache: where it is, that its lock excludes, that binaries appear whole and old ones go."""

import os
import subprocess
import sys
import time

import pytest

from build.tools import cache
from build.tools.shell import BuildError
from tests.patience import PATIENCE_S


def test_named_folder_is_used(monkeypatch, tmp_path):
    monkeypatch.setenv("PB_LINK_CACHE", str(tmp_path / "named"))
    assert cache.cache_folder() == tmp_path / "named"
    assert (tmp_path / "named").is_dir()


def test_named_folder_with_spaces_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("PB_LINK_CACHE", str(tmp_path / "with space"))
    with pytest.raises(BuildError, match="without spaces"):
        cache.cache_folder()


def test_project_in_a_path_with_spaces_builds_elsewhere(monkeypatch, tmp_path):
    monkeypatch.delenv("PB_LINK_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(cache, "ROOT", tmp_path / "my project")
    folder = cache.cache_folder()
    assert folder.parent == tmp_path / "home"
    assert cache.is_safe_path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another's folder")
def test_folder_of_someone_else_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("PB_LINK_CACHE", str(tmp_path))
    os.chown(tmp_path, 12345, -1)
    with pytest.raises(BuildError, match="not yours"):
        cache.cache_folder()


def test_lock_makes_a_second_builder_wait(tmp_path):
    # A process of its own: two holders in one process would not show that builders exclude each other.
    code = (
        "import sys; from pathlib import Path; from build.tools import cache\n"
        "with cache.locked(Path(sys.argv[1])): print('in', flush=True)"
    )
    with cache.locked(tmp_path):
        other = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], cwd=cache.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert b"Waiting for another build" in other.stderr.readline()
        assert other.poll() is None
    out, _ = other.communicate(timeout=PATIENCE_S)
    assert out == b"in\n"


def test_published_binary_is_whole_and_runs(tmp_path):
    built = tmp_path / "built"
    built.write_text("#!/bin/sh\necho done\n")
    built.chmod(0o755)
    binary = tmp_path / "bin" / "tool-1"
    cache.publish(built, binary)
    assert subprocess.check_output([binary]) == b"done\n"
    assert [path.name for path in binary.parent.iterdir()] == ["tool-1"]


def test_touch_tells_whether_a_binary_is_there(tmp_path):
    assert not cache.touch(tmp_path / "none")
    binary = tmp_path / "tool"
    binary.write_text("")
    assert not cache.touch(binary)  # not executable: not finished
    binary.chmod(0o755)
    assert cache.touch(binary)


def test_prune_keeps_the_newest_and_the_recent(tmp_path):
    old = time.time() - 2 * cache.MIN_AGE_TO_PRUNE_S
    for number in range(cache.MAX_BINARIES_OF_A_KIND + 3):
        path = tmp_path / f"bridge-{number:02}"
        path.write_text("")
        os.utime(path, (old + number, old + number))
    (tmp_path / "micropython-64").write_text("")
    cache.prune(tmp_path, "bridge-")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [f"bridge-{number:02}" for number in range(3, cache.MAX_BINARIES_OF_A_KIND + 3)] + ["micropython-64"]


def test_prune_spares_a_binary_that_was_just_handed_out(tmp_path):
    for number in range(cache.MAX_BINARIES_OF_A_KIND + 3):
        (tmp_path / f"bridge-{number}").write_text("")
    cache.prune(tmp_path, "bridge-")
    assert len(list(tmp_path.iterdir())) == cache.MAX_BINARIES_OF_A_KIND + 3
