"""Fixtures of the page's tests."""

from tests.remote_i2c.web.conftest import chromium_program, npm_modules  # noqa: F401
