"""`pb-link i2c`: the i2c-tools on a bus of this computer, of a running server, or simulated."""

import argparse
import asyncio
import contextlib
import sys
from errno import EHOSTDOWN, ENODEV
from types import SimpleNamespace

from remote_i2c.asked import AskedBus
from remote_i2c.errors import BusError
from remote_i2c.providers import CLIENT, LINUX, PYTHON, SIM, check_spec, make_bus
from remote_i2c.tools import TOOLS
from remote_i2c.tools.words import ToolError, UsageError
from server.service.asked_server import asker

# How long one call may take: a client may be at the end of a slow link.
CALL_MS = 5000
GRPC = ("grpc://", "grpcs://")
_WARNING = "WARNING! This program can confuse your I2C bus, cause data loss and worse!"


class Console:
    """Where a tool shows what it found, and what it has to say."""

    def out(self, text):
        print(text)

    def err(self, text):
        print(text, file=sys.stderr)

    def agrees(self, question, default):
        """Ask whether to go on. Returns what the user says; default: what an empty line means."""
        choice = "Y/n" if default else "y/N"
        print(f"{_WARNING}\n{question}\nContinue? [{choice}] ", end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
        if answer.strip()[:1].lower() == "y" or answer.strip() == "" and answer and default:
            return True
        print("Aborting on user request.", file=sys.stderr)
        return False


def add_i2c(command):
    """Add `pb-link i2c`. Args: command: as in cli.py."""

    def run_tool(options, settings):
        # Secrets were taken from the environment, where a client of SMBus over gRPC would look for its token.
        files = SimpleNamespace(smbus_token_file=None, web_token_file=None)
        token = options.secrets.of_gateway("i2c", files)["smbus_token"]()
        return run(options, settings.admin_socket, token)

    one = command("i2c", run_tool, "Use an I2C bus, as i2cdetect, i2cget, i2cset, i2cdump and i2ctransfer do.")
    one.add_argument("tool", choices=[*TOOLS])
    one.add_argument("words", nargs=argparse.REMAINDER, metavar="..", help="its arguments; none shows them")


def run(options, path, token=None):
    """Run a tool. Args: options: tool: one of TOOLS; words: its arguments; json; path: of the admin socket of the
    running server; token: str, of SMBus over gRPC. Returns the exit status. Raises: ValueError: there is no such bus.
    """
    if options.json:
        raise ValueError("i2c shows what the i2c-tools do: it has no --json")
    tool, console = TOOLS[options.tool], Console()
    try:
        plan = tool.parse(options.words)
        bus = open_bus(plan.bus, path, token)
        if plan.force:
            _force(bus)
        if not plan.yes and not console.agrees(tool.question(plan), default=options.tool != "transfer"):
            return 0
        return asyncio.run(_run(tool, plan, bus, console))
    except UsageError as error:
        if error.args[0] is not None:
            console.err(f"Error: {error}")
        console.err(tool.USAGE)
        return 1
    except ToolError as error:
        sys.stdout.flush()
        console.err(str(error))
        return error.status
    except BusError as error:
        sys.stdout.flush()
        console.err(f"Error: {error}")
        if plan.bus.isdecimal() and error.errno in (EHOSTDOWN, ENODEV):  # as the i2c-tools have it
            console.err(f"Bus {plan.bus} of the running server is meant. That of this computer is {LINUX}{plan.bus}")
        return 1


def open_bus(text, path, token=None):
    """Returns the Bus of a text, not open yet. Args: as run. Raises: ValueError."""
    if text.startswith((LINUX, SIM, PYTHON)):
        return make_bus(text, text)
    if text.startswith(GRPC):
        return _over_grpc(text, token)
    if text.startswith(CLIENT):
        check_spec(text)
    return AskedBus(text, asker(path))


def _force(bus):
    """Also use devices that a driver of the kernel has. Raises: ToolError: that is not for this command to say."""
    if not hasattr(bus, "force"):
        raise ToolError("Error: -f is for /dev/i2c-N: of any other bus its own computer says who may use its devices")
    bus.force = True


def _over_grpc(url, token):
    """Returns the Bus at the other end of SMBus over gRPC."""
    try:
        from remote_i2c.smbus_client.bus import GrpcBus
    except ImportError:
        raise ValueError(f"{url} needs the extra grpc: pip install '.[grpc]' in the checkout") from None
    return GrpcBus(url, token)


async def _run(tool, plan, bus, console):
    await bus.open()
    try:
        return await tool.run(plan, _Patient(bus), console)
    finally:
        with contextlib.suppress(BusError):
            await bus.close()


class _Patient:
    """A bus whose calls may take CALL_MS."""

    def __init__(self, bus):
        self.functions = bus.functions
        self._bus = bus

    def transfer(self, transfer):
        return self._bus.transfer(transfer, CALL_MS)

    def quick(self, address, read):
        return self._bus.quick(address, read, CALL_MS)
