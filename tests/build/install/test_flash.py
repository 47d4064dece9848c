"""build/flash.py, with the real esptool, against a simulated boot loader on a pseudo-terminal: what is in the flash in
the end, and what is said when something is wrong."""

import importlib
import os
import signal

import pytest

from build.install import flash
from protocol.version import RELEASE, release_text
from sim.mpy import boot_loader, flash_image
from sim.mpy.boot_loader import BootLoader, SerialPort
from tests.build.install.made_firmware import micropython

MIB = 1024 * 1024
UP = f"esp_link: up, release {release_text(RELEASE)}\r\n"
@pytest.fixture(autouse=True)
def esptool(missing_tool):
    try:
        return importlib.import_module("esptool")
    except ImportError:
        missing_tool("esptool is not installed: make tools")


@pytest.fixture
def firmware_file(tmp_path):
    path = tmp_path / "micropython.bin"
    path.write_bytes(micropython())
    return path


@pytest.fixture
def flashed(firmware_file, capfd, monkeypatch):
    """flashed(loader, *options, port=.., says=..) -> (status, all that was printed)."""
    monkeypatch.setattr(flash, "CONNECT_ATTEMPTS", 1)
    monkeypatch.setattr(flash, "BANNER_S", 2)

    def run(loader, *options, says=UP, micropython=firmware_file):
        with SerialPort(loader, lambda say: say(says)) as port:
            status = flash.main(["--port", port.path, "--micropython", str(micropython), *options])
        printed = capfd.readouterr()
        return status, printed.out + printed.err

    return run


@pytest.mark.parametrize("size", ["2MiB", "4MiB"])
def test_flash_holds_the_images_in_the_end(flashed, tmp_path, size):
    loader = BootLoader(flash_image.SIZES[size])
    status, text = flashed(loader)
    assert status == 0, text
    wanted = bytearray(flash_image.write(tmp_path / "flash.bin", size).read_bytes())
    image = bytearray(micropython())
    image[2:4] = bytes((2, {"2MiB": 0x30, "4MiB": 0x40}[size]))  # dio, and the size that was found
    wanted[: len(image)] = image
    assert loader.flash == wanted and loader.erased
    assert "100" in text and "esp_link: up" in text and "Next:" in text


def test_without_erasing_what_is_not_overwritten_stays(flashed):
    loader = BootLoader(4 * MIB)
    status, text = flashed(loader, "--no-erase", "--no-verify")
    assert status == 0, text
    assert not loader.erased and loader.flash[4 * MIB - 4096 :] == b"\0" * 4096
    image = (flash_image.FIRMWARE / "esp_link.romfs").read_bytes()
    assert loader.flash[0xB0000 : 0xB0000 + len(image)] == image


def test_dry_run_touches_nothing(firmware_file, capsys):
    assert flash.main(["--dry-run", "--micropython", str(firmware_file)]) == 0
    shown = capsys.readouterr().out
    for text in ("2MiB", "4MiB", "erase all", "0x000000", "0x0b0000", "0x100000", "verify"):
        assert text in shown


@pytest.mark.parametrize(("version", "doubted"), [(b"1.25.0", False), (b"1.29.3", False), (b"1.99.0", True)])
def test_micropython_that_no_image_was_compared_with_is_doubted(tmp_path, capsys, version, doubted):
    path = tmp_path / "micropython.bin"
    path.write_bytes(micropython(b"MicroPython v" + version + b" on 2025-04-15"))
    assert flash.main(["--dry-run", "--micropython", str(path)]) == 0
    assert ("If the bridge does not start, take 1.29.0" in capsys.readouterr().err) == doubted


def test_without_micropython_the_file_to_get_is_named(capsys):
    assert flash.main(["--port", "/dev/null"]) == 2
    said = capsys.readouterr().err
    assert "ESP8266_GENERIC-FLASH_2M_ROMFS" in said and "micropython.org/download" in said


REFUSED = {
    "no image": (b"MZ" + bytes(100), "does not begin with E9"),
    "not MicroPython": (b"\xe9" + bytes(100), "does not look like MicroPython"),
    "old": (micropython(b"MicroPython v1.24.1 on 2024-11-29"), "has no ROMFS"),
    "variant": (micropython(build=b"ESP8266_GENERIC"), "another variant"),
    "too big": (micropython(size=0xB0001), "reach into the ROMFS"),
    "a copy of a whole flash": (micropython().ljust(4 * MIB, b"\xff"), "4,194,304 bytes"),
    "half": (micropython()[:20000], "not whole"),
    "cut short": (micropython()[:-1], "not whole"),
    "damaged": (micropython().replace(bytes((1, 2, 3)), bytes((1, 2, 4)), 1), "not whole"),
    "longer": (micropython() + b"\n", "not whole"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_firmware_is_refused_with_the_file_to_get(tmp_path, capsys, name):
    content, said = REFUSED[name]
    path = tmp_path / "wrong.bin"
    path.write_bytes(content)
    assert flash.main(["--port", "/dev/null", "--micropython", str(path)]) == 1
    shown = capsys.readouterr().err
    assert said in shown and "ESP8266_GENERIC-FLASH_2M_ROMFS" in shown


def test_missing_firmware_file_is_named(capsys):
    assert flash.main(["--port", "x", "--micropython", "gone.bin"]) == 1
    assert "gone.bin: No such file" in capsys.readouterr().err


def test_file_without_an_end_is_refused(capsys):
    assert flash.main(["--dry-run", "--micropython", "/dev/zero"]) == 1
    assert "does not begin with E9" in capsys.readouterr().err


def refusal(firmware_file, port, capsys):
    assert flash.main(["--port", str(port), "--micropython", str(firmware_file)]) == 1
    return capsys.readouterr().err


def test_missing_port_is_said(firmware_file, tmp_path, capsys):
    said = refusal(firmware_file, tmp_path / "ttyUSB7", capsys)
    assert "There is no port" in said and "plugged in" in said
    assert flash.main(["--micropython", str(firmware_file)]) == 1
    assert "Name the port" in capsys.readouterr().err


def test_port_that_is_none_is_said(firmware_file, capsys):
    assert "is no serial port" in refusal(firmware_file, "/dev/null", capsys)


def test_port_without_permission_is_said(firmware_file, capsys, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert "dialout" in refusal(firmware_file, "/dev/null", capsys)


def test_port_in_use_is_said(firmware_file, capsys):
    import serial

    with SerialPort(None) as port, serial.Serial(port.path, exclusive=True):
        assert "in use" in refusal(firmware_file, port.path, capsys)


FAILURES = {
    "silent chip": (lambda: None, "No boot loader answers"),
    "another chip": (lambda: BootLoader(4 * MIB, magic=boot_loader.ESP32), "This is an ESP32"),
    "unknown chip": (lambda: BootLoader(4 * MIB, magic=0x12345678), "none that esptool knows"),
    "small flash": (lambda: BootLoader(MIB), "The chip has 1MiB of flash"),
    "other size": (lambda: BootLoader(8 * MIB), "images for 2MiB, 4MiB"),
    "verify failed": (lambda: BootLoader(4 * MIB, spoil=0xB0100), "does not hold what was written"),
    "lost": (lambda: BootLoader(4 * MIB, silent_from=70), "Check cable and power"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failure_of_the_chip_has_its_own_message(flashed, name):
    make, said = FAILURES[name]
    status, text = flashed(make())
    assert status == 1 and said in text, text


class Interrupted(BootLoader):
    """The user presses Ctrl-C when the given operation is asked for."""

    def __init__(self, operation):
        super().__init__(4 * MIB)
        self._operation = operation

    def receive(self, packet):
        if packet[1] == self._operation:
            os.kill(os.getpid(), signal.SIGINT)
            return []
        return super().receive(packet)


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (boot_loader.SYNC, "Nothing was written"),
        (boot_loader.ERASE_FLASH, "may be half written"),
        (boot_loader.DEFL_DATA, "may be half written"),
    ],
)
def test_interruption_says_what_it_leaves(flashed, operation, said):
    status, text = flashed(Interrupted(operation))
    assert status == 130 and said in text


def test_port_that_goes_away_while_the_bridge_starts_is_said(flashed, monkeypatch):
    class Gone:
        in_waiting = 0

        def read(self, size):
            raise OSError(5, "Input/output error")

    real = flash._await_banner
    monkeypatch.setattr(flash, "_await_banner", lambda port: real(Gone()))
    status, text = flashed(BootLoader(4 * MIB))
    assert status == 1 and "All is written, but" in text and "Check cable and power" in text


STARTS = {
    "": "the chip says nothing",
    "MicroPython v1.25.0\r\n>>> ": "no bridge showed itself",
    "ImportError: no module named 'esp_link'\r\n": "finds no bridge",
}


@pytest.mark.parametrize("says", STARTS)
def test_bridge_that_does_not_start_is_said(flashed, says):
    status, text = flashed(BootLoader(4 * MIB), "--no-verify", says=says)
    assert status == 1 and STARTS[says] in text
