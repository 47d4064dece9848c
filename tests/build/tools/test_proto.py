"""The messages of SMBus over gRPC that are kept are those of their .proto files."""

import pytest

from build.tools.proto import ROOT, SOURCES, made_of, make


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proto")
    make(folder)
    return folder


@pytest.mark.parametrize("source", SOURCES)
def test_kept_module_is_what_is_made_anew(made, source):
    module = made_of(source)
    assert (made / module).read_bytes() == (ROOT / module).read_bytes(), "make proto"


def test_every_proto_file_is_made():
    there = {path.relative_to(ROOT).as_posix() for path in (ROOT / "remote_i2c").rglob("*.proto")}
    assert there == set(SOURCES)
