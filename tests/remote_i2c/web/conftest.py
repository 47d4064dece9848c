"""Fixtures: the engines that run JavaScript, and a site for pages."""

import shutil
import subprocess

import pytest

from tests.remote_i2c.web.javascript import Node, npm_folder, served


@pytest.fixture(scope="session")
def npm_modules(missing_tool):
    """The folder node_modules with the pinned packages."""
    try:
        return npm_folder()
    except FileNotFoundError as error:
        missing_tool(f"{error}; Debian's packages nodejs and npm have it")
    except subprocess.SubprocessError as error:
        missing_tool(f"npm could not have the packages: {error}: {error.stderr}")


@pytest.fixture(scope="session")
def node(missing_tool, npm_modules):
    """A Node."""
    program = shutil.which("node")
    if program is None:
        missing_tool("Node.js is not installed; Debian's package nodejs has it")
    return Node(program, npm_modules)


@pytest.fixture(scope="session")
def chromium_program(missing_tool):
    """The path of Chromium."""
    program = shutil.which("chromium")
    if program is None:
        missing_tool("Chromium is not installed; Debian's package chromium has it")
    return program


@pytest.fixture
def site(tmp_path, npm_modules):
    """The origin of a site with an empty page and the npm packages at /npm."""
    (tmp_path / "npm").symlink_to(npm_modules)
    (tmp_path / "index.html").write_text("<!doctype html><meta charset=utf-8><title>site</title>", encoding="utf-8")
    with served(tmp_path) as origin:
        yield origin
