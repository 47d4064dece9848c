"""`make release`, all but the tutorial, of this checkout: what is in dist/ is whole, and works outside of it."""

import hashlib
import tarfile
from importlib.util import find_spec

import pytest

from build.release import __main__ as release
from build.release.archives import SUMS
from build.tools.shell import BuildError


@pytest.fixture
def tools(missing_tool):
    for name in ("hatchling", "twine"):
        if find_spec(name) is None:
            missing_tool(f"{name} is not installed: make .venv anew with  make tools")


def test_draft_of_a_release_is_made_checked_and_tried(tools, tmp_path, capfd):
    out = tmp_path / "dist"
    assert release.main(["--draft", "--no-tutorial", "--out", str(out)]) == 0, capfd.readouterr()
    said = "".join(capfd.readouterr())
    assert "200 lines each way, " in said and f"tag the commit v{release.VERSION}" in said
    version = release.VERSION
    wheel, source = f"pb_link-{version}-py3-none-any.whl", f"pb_link-{version}.tar.gz"
    wanted = {wheel, source, f"pb_link-firmware-{version}.zip", f"pb_link-mip-{version}.zip", SUMS}
    assert wanted <= {path.name for path in out.iterdir()} <= {*wanted, "NOTES.md"}
    sums = dict(reversed(line.split("  ")) for line in (out / SUMS).read_text().splitlines())
    assert sums[wheel] == hashlib.sha256((out / wheel).read_bytes()).hexdigest()
    names = tarfile.open(out / source).getnames()
    assert f"pb_link-{version}/build/wheel/hook.py" in names and not any(".cache" in name for name in names)


def test_tree_that_is_not_ready_is_refused_with_the_reason(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(release, "CHANGELOG", tmp_path / "CHANGELOG.md")
    release.CHANGELOG.write_text("# Changelog\n\n## [Unreleased]\n\n### Added\n\n- x\n")
    assert release.main(["--out", str(tmp_path / "dist")]) == 1
    assert "entries under Unreleased: python3 -m build.release --fold" in "".join(capfd.readouterr())
    assert release.main(["--fold"]) == 0
    assert f"## [{release.VERSION}] - " in release.CHANGELOG.read_text()
    monkeypatch.setattr(release, "run", lambda *command, **how: " M a.py\n M b.py\n")
    with pytest.raises(BuildError, match="2 files are changed and not committed, a.py among them"):
        release.tree_is_clean()


def test_folder_of_others_is_left_as_it_is(tmp_path, capfd):
    (tmp_path / "dist").mkdir()
    for out in (tmp_path, tmp_path / "dist" / ".."):
        assert release.main(["--draft", "--out", str(out)]) == 1
        assert "is not empty, and only dist/ is emptied" in "".join(capfd.readouterr())
    (tmp_path / "file").touch()
    assert release.main(["--draft", "--out", str(tmp_path / "file")]) == 1
    assert "is no folder" in "".join(capfd.readouterr())
    assert {path.name for path in tmp_path.iterdir()} == {"dist", "file"}


def test_older_release_stays_until_the_tree_is_ready(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(release, "DIST", tmp_path)
    monkeypatch.setattr(release, "CHANGELOG", tmp_path / "CHANGELOG.md")
    release.CHANGELOG.write_text("# Changelog\n\n## [Unreleased]\n\n### Added\n\n- x\n")
    assert release.main(["--out", str(tmp_path)]) == 1
    assert "entries under Unreleased" in "".join(capfd.readouterr())
    assert release.CHANGELOG.exists()


def test_command_that_fails_is_told_with_what_it_said():
    with pytest.raises(BuildError, match="has failed:\nno such thing"):
        release.run("sh", "-c", "echo no such thing >&2; exit 3")
    with pytest.raises(BuildError, match="has 0 files"):
        release.only(release.ROOT / "docs", "*.nonesuch")
