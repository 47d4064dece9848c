"""What a manifest freezes decides what is built: every change shows in the hash, and the copy is what was hashed."""

import os

import pytest

from build.tools import frozen
from build.tools.shell import BuildError

FILES = [("one.py", "a/one.py", "as_mpy", None), ("two.py", "two.py", "as_mpy", 3)]


@pytest.fixture
def files(tmp_path):
    found = []
    for name, target, kind, opt in FILES:
        path = tmp_path / "with space" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# {name}\n")
        found.append((str(path), target, kind, opt))
    return found


def test_digest_changes_with_content_name_and_options(files):
    digests = {frozen.digest_of(files)}
    path, target, kind, opt = files[0]
    digests.add(frozen.digest_of([(path, "b/one.py", kind, opt), files[1]]))
    digests.add(frozen.digest_of([(path, target, "as_str", opt), files[1]]))
    digests.add(frozen.digest_of([(path, target, kind, 1), files[1]]))
    digests.add(frozen.digest_of(files[:1]))
    with open(path, "a") as file:
        file.write("x = 1\n")
    digests.add(frozen.digest_of(files))
    assert len(digests) == 6


def test_mirror_is_a_copy_and_leaves_alone_what_is_the_same(tmp_path):
    source, copy = tmp_path / "source", tmp_path / "copy"
    (source / "deep").mkdir(parents=True)
    for name in ("same.c", "changed.c", "gone.c", "deep/same.h"):
        (source / name).write_text(name)
    frozen.mirror(source, copy)
    times = {path: path.stat().st_mtime_ns for path in copy.rglob("same.*")}
    (source / "changed.c").write_text("new")
    (source / "gone.c").unlink()
    files = frozen.mirror(source, copy)
    assert [target for _, target, _, _ in files] == ["changed.c", "deep/same.h", "same.c"]
    assert (copy / "changed.c").read_text() == "new" and not (copy / "gone.c").exists()
    assert times == {path: path.stat().st_mtime_ns for path in copy.rglob("same.*")}


def test_user_module_that_has_gone_is_not_built_in(tmp_path):
    """Under its new name its functions would be there twice."""
    for name in ("new", "stays"):
        (tmp_path / "sources" / name).mkdir(parents=True)
        (tmp_path / "sources" / name / "module.c").write_text(name)
    for name in ("old", "stays"):
        (tmp_path / "modules" / name).mkdir(parents=True)
    copies = frozen.mirror_modules([tmp_path / "sources" / name for name in ("new", "stays")], tmp_path / "modules")
    assert [path.removeprefix(f"{tmp_path}/modules/") for path, *_ in copies] == ["new/module.c", "stays/module.c"]
    assert sorted(path.name for path in (tmp_path / "modules").iterdir()) == ["new", "stays"]


def test_digest_does_not_change_with_the_time(files):
    before = frozen.digest_of(files)
    os.utime(files[0][0], (1, 1))
    assert frozen.digest_of(files) == before


def test_stage_holds_copies_and_their_manifest(files, tmp_path):
    stale = tmp_path / "stage" / "files" / "stale.py"
    stale.parent.mkdir(parents=True)
    stale.write_text("")
    copies, manifest = frozen.stage(files, tmp_path / "stage")
    assert frozen.digest_of(copies) == frozen.digest_of(files)
    assert not stale.exists()
    folder = tmp_path / "stage" / "files"
    assert manifest.read_text() == (
        f"freeze_as_mpy('{folder}', 'a/one.py')\nfreeze_as_mpy('{folder}', 'two.py', opt=3)\n"
    )


def test_error_in_a_manifest_names_it(tmp_path):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "manifestfile.py").write_text("raise SystemExit('bad folder')\n")
    with pytest.raises(BuildError, match="manifest.py cannot be read: bad folder"):
        frozen.frozen_files(tmp_path, tmp_path / "manifest.py")
