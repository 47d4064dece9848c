"""Make an ESP8266 a bridge: MicroPython's firmware and ours, flashed over its serial port.

    python3 build/flash.py --port /dev/ttyUSB0 --micropython FILE|URL [--no-erase] [--no-verify] [--dry-run]

Finds the chip and the size of its flash, refuses what does not fit, erases, writes, verifies, resets, and waits until
the bridge shows itself. esptool does the talking (requirements-firmware.txt); `make tools` puts it into .venv, and this
program goes there by itself. Status 0: the bridge is up; 1: it is not, and the text says what to do; 2: the command is
not complete.
"""

import argparse
import errno
import os
import time
from pathlib import Path

from build.install import flash_plan
from build.tools.shell import BuildError, MissingTool, say

BAUD = 115200  # the chip's own at boot of MicroPython, and the one that every cable can do
CONNECT_ATTEMPTS = 3
BANNER = "esp_link: up"
BANNER_S = 20  # boot takes one second, or some if the file system is made
CHIP = "ESP8266"

ERASE_REASON = (
    "Erasing first: an old file system would be in the way, and settings of the chip's own that an earlier firmware "
    "left can keep Wi-Fi from working. --no-erase leaves what is not overwritten."
)
NO_ANSWER = (
    "No boot loader answers on {port}. Is this the ESP8266's port, and the cable one for data? Take the client's wires "
    "off GPIO0 and GPIO2. A board without automatic reset: hold GPIO0 to ground (button FLASH), press reset, try again."
)
BAD_FLASH = (
    "Verification failed: the flash does not hold what was written. Try once more with a shorter cable and a good "
    "power supply; if it fails again, the flash is worn out."
)
NEXT = """The ESP8266 is ready. Next:
  1. wire it to the client's board (docs/hardware.md);
  2. put the client and pb_settings.json on that board (README, "On real boards");
  3. at its prompt: import pb_link.selftest"""


def main(arguments=None):
    options = _options(arguments)
    try:
        manifest = flash_plan.Manifest()
        if options.micropython is None:
            say(
                f"build/flash.py: name MicroPython's own firmware: --micropython FILE or URL. It is the file "
                f"{manifest.build}-<date>-v<version>.bin from {flash_plan.DOWNLOADS} "
                f"({manifest.facts['micropython']['oldest']} or newer)."
            )
            return 2
        esptool = None if options.dry_run else _esptool()
        micropython = flash_plan.read_micropython(options.micropython)
        version = flash_plan.check_micropython(micropython, manifest)
        say(f"MicroPython {'.'.join(map(str, version))}, pb_link {manifest.facts['release']}")
        doubt = flash_plan.doubt(version, manifest)
        if doubt:
            say(doubt)
        if options.dry_run:
            _show_plans(options, micropython, manifest)
            return 0
        if options.port is None:
            raise BuildError(f"Name the port with --port. {_ports()}")
        _flash(esptool, options, micropython, manifest)
    except BuildError as error:
        say(f"build/flash.py: {error}")
        return 1
    except KeyboardInterrupt:
        left = "The flash may be half written: start again." if options.begun else "Nothing was written."
        say(f"Interrupted. {left}")
        return 130
    print(NEXT)
    return 0


def _options(arguments):
    parser = argparse.ArgumentParser(description="Make an ESP8266 a bridge: flash MicroPython and pb_link's images.")
    parser.add_argument("--port", help="serial port of the ESP8266, e.g. /dev/ttyUSB0")
    parser.add_argument("--micropython", metavar="FILE|URL", help="MicroPython's firmware, variant FLASH_2M_ROMFS")
    parser.add_argument("--no-erase", action="store_true", help="leave alone what is not overwritten")
    parser.add_argument("--no-verify", action="store_true", help="do not compare the whole flash at the end")
    parser.add_argument("--dry-run", action="store_true", help="show what would be written, and touch nothing")
    parser.set_defaults(begun=False)  # True from when the flash is changed
    return parser.parse_args(arguments)


def _show_plans(options, micropython, manifest):
    for size in manifest.sizes:
        print(f"A chip with {size} of flash:")
        if not options.no_erase:
            print("  erase all of it")
        print("\n".join(flash_plan.show(flash_plan.plan(micropython, manifest, size))))
        print("  " + ("reset" if options.no_verify else "verify, reset") + f", wait for {BANNER!r}")


def _flash(esptool, options, micropython, manifest):
    _check_port(options.port)
    esp = _connect(esptool, options.port)
    try:
        if esp.CHIP_NAME != CHIP:
            raise BuildError(f"This is an {esp.CHIP_NAME}, and the bridge is for an {CHIP}. Is it the right port?")
        with _Step(esptool, "The boot loader stopped answering", options.port):
            esp = esptool.cmds.run_stub(esp)
            esptool.cmds.attach_flash(esp)
            size = (esptool.cmds.detect_flash_size(esp) or "").replace("MB", "MiB")
        parts = flash_plan.plan(micropython, manifest, size)
        say(f"{esp.CHIP_NAME} with {size} of flash")
        _write(esptool, esp, parts, options)
        with _Step(esptool, "The reset failed", options.port):
            _start(esptool, esp)
        with _Step(esptool, "All is written, but the bridge could not be heard", options.port):
            _await_banner(esp._port)
    finally:
        esp._port.close()


def _esptool():
    """Returns the module. Raises: MissingTool."""
    try:
        import esptool
        import esptool.cmds
    except ImportError:
        raise MissingTool(
            "esptool is missing. Install with:  make tools  or:  python3 -m pip install -r requirements-firmware.txt"
        ) from None
    return esptool


def _check_port(port):
    """Opened once only to tell apart what esptool reports alike. Raises: BuildError."""
    try:
        os.close(os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            raise BuildError(
                f"{port} may not be opened by this user. Add yourself to the group that owns it and log in again:  "
                'sudo usermod -a -G dialout "$USER"'
            ) from None
        if error.errno in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
            raise BuildError(f"There is no port {port}. Is the ESP8266 plugged in? {_ports()}") from None
        raise BuildError(f"{port} cannot be opened: {error.strerror}. {_ports()}") from None


def _ports():
    """Returns what the user may have meant."""
    found = sorted(str(path) for pattern in ("ttyUSB*", "ttyACM*", "cu.usb*") for path in Path("/dev").glob(pattern))
    return f"Ports that are here: {', '.join(found)}." if found else "No USB serial port is here: check the cable."


def _connect(esptool, port):
    try:
        return esptool.cmds.detect_chip(port, BAUD, connect_attempts=CONNECT_ATTEMPTS)
    except esptool.FatalError as error:
        text = str(error)
        if "exclusively lock" in text:
            raise BuildError(f"{port} is in use. Close the terminal or the program that has it open.") from None
        if "Could not open" in text:
            raise BuildError(f"{port} is no serial port. {_ports()}") from None
        if "autodetect" in text:
            raise BuildError(f"The chip on {port} is none that esptool knows. The bridge is for an {CHIP}.") from None
        raise BuildError(NO_ANSWER.format(port=port)) from None
    except OSError as error:
        raise BuildError(f"{port} failed: {error}. Was it unplugged?") from None


class _Step:
    """Turns the errors of esptool and of the port into one that says which step failed, and what to do."""

    def __init__(self, esptool, what, remedy):
        self._fatal = esptool.FatalError
        self._text = f"{what}: {{}}. Check cable and power of {remedy}, and start again."

    def __enter__(self):
        pass

    def __exit__(self, kind, error, traceback):
        if kind is not None and issubclass(kind, (self._fatal, OSError)):
            if "MD5" in str(error) or "Verification failed" in str(error):  # write_flash compares sums as well
                raise BuildError(BAD_FLASH) from None
            raise BuildError(self._text.format(str(error).splitlines()[0].rstrip("."))) from None


def _write(esptool, esp, parts, options):
    data = [(part.offset, part.data) for part in parts]
    as_detected = {"flash_mode": "dio", "flash_size": "detect"}
    options.begun = True
    if not options.no_erase:
        say(ERASE_REASON)
        with _Step(esptool, "Erasing failed", options.port):
            esptool.cmds.erase_flash(esp)
    say("\n".join(flash_plan.show(parts)))
    with _Step(esptool, "Writing failed", options.port):
        esptool.cmds.write_flash(esp, data, **as_detected)
    if not options.no_verify:
        with _Step(esptool, "Verifying failed", options.port):
            esptool.cmds.verify_flash(esp, data, **as_detected)


def _start(esptool, esp):
    esptool.cmds.reset_chip(esp, "soft-reset")  # serves boards without automatic reset as well
    esptool.cmds.reset_chip(esp, "hard-reset")


def _await_banner(port):
    """Wait until the bridge has shown itself on the serial port. Raises: BuildError."""
    say("Waiting for the bridge ..")
    port.baudrate = BAUD
    port.timeout = 0.2
    seen = b""
    deadline = time.monotonic() + BANNER_S
    while time.monotonic() < deadline:
        seen += port.read(max(1, port.in_waiting))
        text = seen.decode(errors="replace")
        lines = text.splitlines()
        shown = [line for line in lines if line.startswith(BANNER)]
        if shown and text.partition(shown[0])[2]:  # the whole line
            say(shown[0])
            return
        if "ImportError" in text:
            line = next(line for line in lines if "ImportError" in line)
            raise BuildError(f"MicroPython runs, but finds no bridge ({line}): flash it without --no-erase.")
    if seen.strip():
        said = lines[-1][:100]
        raise BuildError(f"The chip runs, but no bridge showed itself. It last said: {said!r}. Reset it by hand.")
    raise BuildError("All is written, but the chip says nothing. Take GPIO0 off ground and press reset.")
