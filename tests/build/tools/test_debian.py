"""What is asked of Debian: the right version, the right archive, and clear words where something is missing."""

import os

import pytest

from build.tools import debian
from build.tools.shell import MissingTool


@pytest.fixture
def only_on_path(monkeypatch, tmp_path):
    """A function that makes PATH hold nothing but shell scripts with the given names and bodies."""

    def replace(**scripts):
        for name, body in scripts.items():
            path = tmp_path / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        return tmp_path

    return replace


@pytest.mark.parametrize(
    ("versions", "best"),
    [
        (["1.25.0+ds-1"], "1.25.0+ds-1"),
        (["1.19.1+ds-1", "1.26.1+ds-2", "1.25.0+ds-1"], "1.25.0+ds-1"),
        (["1.26.1+ds-2", "1.27.0+ds-1", "1.24.1+ds-1"], "1.27.0+ds-1"),
        (["1.19.1+ds-1"], None),
        ([], None),
    ],
)
def test_pinned_version_is_preferred_then_the_newest(versions, best):
    assert debian.best_version(versions) == best


def test_archive_is_found_in_both_kinds_of_source_files():
    sources = (
        "# deb http://old.example/debian stable main\n"
        "deb [arch=amd64] https://one.example/debian/ bookworm main\n"
        "deb http://security.example/debian-security bookworm-security main\n"
        "URIs: http://two.example/debian\n"
        "deb https://other.example/ubuntu jammy main\n"
    )
    assert debian.archives_in(sources) == ["https://one.example/debian/", "http://two.example/debian"]


def test_there_is_always_an_archive_to_ask(only_on_path):
    only_on_path(apt_get="exit 1")
    assert debian.DEFAULT_ARCHIVE in debian.archives()


def test_missing_compiler_is_named(only_on_path):
    folder = only_on_path(make="exit 0")
    assert debian.missing_for_c(64, folder) == ["gcc"]


def test_missing_headers_are_named(only_on_path):
    folder = only_on_path(make="exit 0", gcc="exit 1")
    assert debian.missing_for_c(32, folder) == ["libc6-dev"]


def test_missing_32_bit_libraries_are_named(only_on_path):
    folder = only_on_path(make="exit 0", gcc='[ "$1" != -m32 ]')
    assert debian.missing_for_c(64, folder) == []
    assert debian.missing_for_c(32, folder) == ["gcc-multilib"]


def test_user_is_told_the_one_command_that_installs(only_on_path, monkeypatch):
    only_on_path(apt_get="exit 0")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MissingTool, match="sudo apt-get install -y gcc-multilib"):
        debian.install(["gcc-multilib"], "A test")


def test_root_can_forbid_installing(only_on_path, monkeypatch):
    only_on_path(apt_get="exit 0")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PB_LINK_NO_INSTALL", "1")
    with pytest.raises(MissingTool, match="sudo apt-get install"):
        debian.install(["gcc"], "A test")


def test_root_installs_and_updates_the_lists_only_when_needed(only_on_path, monkeypatch, capsys):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("PB_LINK_NO_INSTALL", raising=False)
    folder = only_on_path(apt_get="exit 0")
    debian.install(["gcc"], "A test")
    assert "Installing gcc" in capsys.readouterr().err
    only_on_path(apt_get=f'case "$*" in *install*) [ -e {folder}/updated ];; *update*) : >{folder}/updated;; esac')
    debian.install(["gcc"], "A test")
    assert "Updating the package lists" in capsys.readouterr().err


@pytest.mark.parametrize(("ci", "sudo", "installs"), [("true", 0, True), ("", 0, False), ("true", 1, False)])
def test_sudo_is_used_in_ci_if_it_asks_for_no_password(only_on_path, monkeypatch, ci, sudo, installs):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv("PB_LINK_NO_INSTALL", raising=False)
    monkeypatch.setenv("CI", ci)
    folder = only_on_path(sudo=f'[ "$1" = -n ] && shift && [ {sudo} = 0 ] && "$@"', true="exit 0", apt_get="exit 1")
    only_on_path(apt_get=f'echo "$@" >>{folder}/asked')
    if installs:
        debian.install(["gcc"], "A test")
        assert "install gcc" in (folder / "asked").read_text()
    else:
        with pytest.raises(MissingTool, match="sudo apt-get install"):
            debian.install(["gcc"], "A test")
        assert not (folder / "asked").exists()


def test_program_is_installed_if_it_is_missing(only_on_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("PB_LINK_NO_INSTALL", raising=False)
    only_on_path()
    with pytest.raises(MissingTool, match="A test needs analyse: install it"):
        debian.program("analyse", "analyser", "A test")
    folder = only_on_path(apt_get="exit 0")
    with pytest.raises(MissingTool, match="analyse is not on PATH"):
        debian.program("analyse", "analyser", "A test")
    only_on_path(apt_get=f"printf '#!/bin/sh\\n' >{folder}/analyse && /bin/chmod +x {folder}/analyse")
    assert debian.program("analyse", "analyser", "A test") == f"{folder}/analyse"
    only_on_path(apt_get="exit 100")
    assert debian.program("analyse", "analyser", "A test") == f"{folder}/analyse"


def test_failed_installation_is_reported(only_on_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("PB_LINK_NO_INSTALL", raising=False)
    only_on_path(apt_get="exit 100")
    with pytest.raises(MissingTool, match="Is the network up"):
        debian.install(["gcc"], "A test")


def test_other_systems_are_told_what_to_do(only_on_path, tmp_path):
    only_on_path()
    with pytest.raises(MissingTool, match="no Debian.*MICROPYTHON"):
        debian.install(["gcc"], "A test")
    with pytest.raises(MissingTool, match="MICROPYTHON_SOURCE"):
        debian.fetch_micropython(tmp_path)


def test_archive_that_does_not_answer_is_reported(only_on_path, tmp_path, monkeypatch):
    only_on_path(apt_get='echo "E: no route"; exit 100', apt_cache="exit 1")
    keyring = tmp_path / "keyring.gpg"
    keyring.write_text("")
    monkeypatch.setattr(debian, "KEYRINGS", (str(keyring),))
    with pytest.raises(MissingTool, match="(?s)Is the network up.*no route"):
        debian.fetch_micropython(tmp_path / "download")
    assert not (tmp_path / "download" / "apt").exists()
