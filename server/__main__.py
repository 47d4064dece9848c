"""The entry point of `pb-link`, also of `python3 -m server`."""

import sys

from server import default_server
from server.service import cli


def simulate(words):
    """Run `pb-link sim`. Returns the exit status."""
    from sim.cli import main as sim  # only here: the server does not need it

    return sim(words, "pb-link sim")


def simulator_parser():
    """Returns the ArgumentParser of `pb-link sim`."""
    from sim.cli import parser

    return parser("pb-link sim")


def main():
    """Run the command line. Returns the exit status."""
    text = "The simulator: clients on virtual boards, faults, sensors."
    programs = {"sim": cli.Program(text, simulate, simulator_parser)}
    return cli.main(server=default_server(), programs=programs)  # whose functions the application imports from `server`


if __name__ == "__main__":
    sys.exit(main())
