"""The changelog at a release: nothing is lost, nothing stays under Unreleased, kinds keep their order."""

from pathlib import Path

import pytest

from build.release.changelog import KINDS, folded, kinds, notes, sections
from build.tools.shell import BuildError

TEXT = """# Changelog

All changes.

## [Unreleased]

### Added

- new one
  in two lines.

### Fixed

- mended one.

## [0.2.0] - 2026-11-28

### Added

- old one.

### Security

- safe one.

## [0.1.0] - 2026-01-02

### Added

- first one.
"""


def test_unreleased_goes_below_the_heading_that_is_there_with_the_new_date():
    text = folded(TEXT, "0.2.0", "2026-11-30")
    _, (unreleased, version, older) = sections(text)
    assert unreleased == ("Unreleased", None, "") and version[:2] == ("0.2.0", "2026-11-30")
    assert kinds(version[2]) == {
        "Added": "- new one\n  in two lines.\n- old one.", "Fixed": "- mended one.", "Security": "- safe one.",
    }  # fmt: skip
    assert older == ("0.1.0", "2026-01-02", "### Added\n\n- first one.")
    assert text.startswith("# Changelog\n\nAll changes.\n")


def test_lists_of_one_kind_are_joined_in_their_order():
    more = "### Added\n\n- later one.\n\n### Fixed\n\n- mended too.\n"
    text = TEXT.replace("- mended one.\n", f"- mended one.\n\n{more}", 1)
    assert kinds(sections(text)[1][0][2]) == {
        "Added": "- new one\n  in two lines.\n- later one.", "Fixed": "- mended one.\n- mended too.",
    }  # fmt: skip
    made = folded(text, "0.2.0", "2026-11-30")
    assert "- new one\n  in two lines.\n- later one.\n- old one.\n\n### Fixed\n\n- mended one.\n- mended too.\n" in made


def test_heading_is_made_where_there_is_none_and_folding_again_changes_nothing():
    text = folded(TEXT, "0.3.0", "2026-11-30")
    names = [name for name, _, _ in sections(text)[1]]
    assert names == ["Unreleased", "0.3.0", "0.2.0", "0.1.0"]
    assert folded(text, "0.3.0", "2026-11-30") == text


def test_notes_are_those_of_the_version_and_need_it_to_be_complete():
    text = folded(TEXT, "0.2.0", "2026-11-30")
    assert notes(text, "0.2.0").startswith("### Added\n\n- new one\n")
    with pytest.raises(BuildError, match="entries under Unreleased"):
        notes(TEXT, "0.2.0")
    with pytest.raises(BuildError, match="no heading"):
        notes(text, "0.4.0")


def test_what_is_no_changelog_is_told():
    with pytest.raises(BuildError, match="no heading ## "):
        folded("# Changelog\n", "0.2.0", "2026-11-30")
    with pytest.raises(BuildError, match="'Improved' is none of"):
        kinds("### Improved\n\n- x")
    with pytest.raises(BuildError, match="'stray' is none of"):
        kinds("stray\n\n### Added\n\n- x")


def test_changelog_of_the_project_can_be_folded_and_loses_nothing():
    text = (Path(__file__).resolve().parents[3] / "CHANGELOG.md").read_text(encoding="utf-8")
    made = folded(text, "99.0.0", "2099-01-01")

    def entries(of):
        return sorted(line for line in of.splitlines() if line and not line.startswith("#"))

    assert entries(made) == entries(text)
    for _, _, body in sections(made)[1]:
        assert set(kinds(body)) <= set(KINDS)
