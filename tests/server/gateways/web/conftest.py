"""Fixtures of the page's tests."""

from tests.remote_i2c.web.conftest import chromium_program  # noqa: F401
