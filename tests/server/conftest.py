"""Each test in a folder of its own: a server without a store makes a file in the current one."""

import pytest


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
