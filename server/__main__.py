"""The entry point of `pb-link`, also of `python3 -m server`."""

import sys

from server import default_server
from server.service import cli


def main():
    """Run the command line. Returns the exit status."""
    return cli.main(server=default_server())  # whose functions the application imports from `server`


if __name__ == "__main__":
    sys.exit(main())
