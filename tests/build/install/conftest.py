"""What the tests of installing the client share."""

import functools

import pytest

from build.install import client_package


@pytest.fixture(scope="package", autouse=True)
def joined_once():
    """The client's modules are joined once for all of these tests: it takes a second, and does the same each time, as
    tests/build/images/test_bundle.py shows."""
    original = client_package.bundle
    client_package.bundle = functools.cache(original)
    yield
    client_package.bundle = original
