"""Makes the modules of messages from the .proto files: `make proto`.

They are kept in the repository, since whoever runs from a checkout has no protoc; a test makes them anew and compares.

protoc is that of grpcio-tools, pinned in requirements-dev.txt.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("remote_i2c/rpc/smbus.proto", "remote_i2c/rpc/smbus_rcp.proto")


def make(folder):
    """Make the modules below a folder, at the places that they have below the root. Raises: ValueError."""
    from grpc_tools import protoc

    words = ["protoc", f"-I{ROOT}", f"--python_out={folder}", *SOURCES]
    if protoc.main(words):
        raise ValueError("protoc has refused a file")


def made_of(source):
    """Returns the path of the module that is made of this source."""
    return source.removesuffix(".proto") + "_pb2.py"


if __name__ == "__main__":
    make(ROOT)
    print("\n".join(made_of(source) for source in SOURCES), file=sys.stderr)
