"""build/esp8266.py names each missing piece, and hands the port's make our manifest. The tools are stand-ins here, and
the port's own Makefile only says what it would do: no compiler for the chip is at hand. What is frozen runs in
tests/sim/mpy/test_flash_image.py and tests/peers/test_bridge_heap.py."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from build.images import classic_firmware
from build.tools import cache
from build.tools.shell import BuildError, MissingTool
from sim.mpy import flash_image
from sim.mpy.boot_loader import BootLoader, SerialPort
from tests.build.install.made_firmware import micropython

# Leaves what the port leaves, and the manifest that it was given.
MAKE = """#!/bin/sh
for word in "$@"; do case "$word" in
    BUILD=*) mkdir -p "${word#BUILD=}"; echo firmware > "${word#BUILD=}/PRODUCT";;
    FROZEN_MANIFEST=*) cp "${word#FROZEN_MANIFEST=}" "$RECORD"; echo "$ESPTOOL_CHIP" > "$RECORD.chip";;
esac; done
"""


def tool(folder, name, text="#!/bin/sh\necho \"$@\" >> \"$RECORD\"\n"):
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def source(tmp_path, micropython_source):
    """A folder that looks like a clone, with the real reader of manifests and the real files that are frozen."""
    real = Path(micropython_source)
    clone = tmp_path / "clone"
    for name in ("tools", "extmod", "ports/esp8266"):
        (clone / name).parent.mkdir(parents=True, exist_ok=True)
        (clone / name).symlink_to(real / name)
    for name in ("lib/axtls/ssl/asn1.c", "lib/berkeley-db-1.xx/README", "lib/micropython-lib/README.md"):
        (clone / name).parent.mkdir(parents=True)
        (clone / name).touch()
    return clone


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A folder, first on PATH, with stand-ins for all that is needed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("gcc", "esptool"):
        tool(folder, name)
    sysroot = tmp_path / "sdk"
    tool(folder, "xtensa-lx106-elf-gcc", f"#!/bin/sh\n[ $1 = -print-sysroot ] && echo {sysroot}\n")
    for name in classic_firmware.IN_SDK:
        (sysroot / name).parent.mkdir(parents=True, exist_ok=True)
        (sysroot / name).touch()
    tool(folder, "make", MAKE.replace("PRODUCT", "firmware.bin"))
    for name in ("sh", "mkdir", "cp"):
        (folder / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    return folder


@pytest.mark.parametrize("product", classic_firmware.PRODUCTS)
def test_firmware_of_older_and_newer_micropython_is_copied(source, tools, tmp_path, product):
    tool(tools, "make", MAKE.replace("PRODUCT", product))
    classic_firmware.build(source, tmp_path / "result.bin")
    assert (tmp_path / "result.bin").read_text() == "firmware\n"
    frozen = (tmp_path / "record").read_text()
    for name in ("esp_link/main.py", "protocol/mailbox.py", "_boot.py", "inisetup.py", "flashbdev.py"):
        assert f"'{name}'" in frozen


def test_the_ports_own_makefile_would_make_the_firmware_of_our_manifest(
    tools, tmp_path, monkeypatch, micropython_source
):
    record = tmp_path / "record"
    dry_run = f'{shutil.which("make", path=os.defpath)} -n "$@" >>{tmp_path}/would 2>&1 || exit 2'
    tool(tools, "make", MAKE.replace("PRODUCT", "firmware.bin").replace("\n", f"\n{dry_run}\n", 1))
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.defpath}")
    monkeypatch.setattr(classic_firmware, "IN_SOURCE", {})  # Debian's source has no submodules
    classic_firmware.build(Path(micropython_source), tmp_path / "result.bin")
    would = (tmp_path / "would").read_text()
    assert re.search(r"makemanifest\.py .*/stage/manifest\.py", would) and "'esp_link/main.py'" in record.read_text()
    assert re.search(r"xtensa-lx106-elf-ld .*esp8266_2MiB\.ld", would)
    assert re.search(r"makeimg\.py .*/build/firmware\.bin", would)


@pytest.mark.parametrize("name", ["make", "gcc", "xtensa-lx106-elf-gcc", "esptool"])
def test_missing_tool_is_named_with_its_remedy(source, tools, name):
    (tools / name).unlink()
    with pytest.raises(MissingTool, match=rf"{name}.* is not on PATH\. \w+"):
        classic_firmware.build(source)


@pytest.mark.parametrize("path", classic_firmware.IN_SDK)
def test_compiler_without_the_sdk_is_found_before_anything_is_built(source, tools, tmp_path, path):
    (tmp_path / "sdk" / path).unlink()
    with pytest.raises(MissingTool, match=rf"no SDK of the ESP8266: there is no .*/{path}\. .*esp-open-sdk"):
        classic_firmware.build(source)
    assert not (tmp_path / "record").exists()


@pytest.mark.parametrize(("text", "said"), [("echo", "no SDK"), ("exit 1", "does not run")])
def test_compiler_of_another_kind_is_found_before_anything_is_built(source, tools, text, said):
    """Debian's has no sysroot at all."""
    tool(tools, "xtensa-lx106-elf-gcc", f"#!/bin/sh\n{text}\n")
    with pytest.raises(MissingTool, match=rf"{said}.*esp-open-sdk"):
        classic_firmware.build(source)


def test_real_esptool_is_told_the_chip_by_what_make_is_given(source, tools, tmp_path, missing_tool):
    """Without it esptool 5 ends the build at its last step."""
    esptool = Path(sys.executable).parent / "esptool"
    if not esptool.exists():
        missing_tool("esptool is not installed: make tools")
    classic_firmware.build(source, tmp_path / "result.bin")
    chip = (tmp_path / "record.chip").read_text().strip()
    (tmp_path / "firmware.elf").write_bytes(b"\x7fELF")
    said = {}
    for variables in ({}, {"ESPTOOL_CHIP": chip}):
        command = [esptool, "elf2image", tmp_path / "firmware.elf"]
        environment = {"PATH": os.defpath, **variables}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
        said[bool(variables)] = done.stdout + done.stderr
    assert "--chip" in said[False] and "--chip" not in said[True] and "ELF" in said[True], said


@pytest.mark.parametrize("path", classic_firmware.IN_SOURCE)
def test_missing_part_of_the_source_is_named_with_its_remedy(source, tools, path):
    linked = [part for part in (source / path).parents if part.is_symlink()]  # MicroPython's own stay as they are
    (linked[0] if linked else source / path).unlink()
    with pytest.raises(MissingTool, match=f"{path} is missing"):
        classic_firmware.build(source)


def test_a_make_that_leaves_nothing_is_an_error(source, tools):
    tool(tools, "make", MAKE.replace("PRODUCT", "other.bin"))
    with pytest.raises(BuildError, match="Which MicroPython"):
        classic_firmware.build(source)


def test_it_is_flashed_after_erasing(monkeypatch, tmp_path, missing_tool):
    """With the real esptool and a simulated boot loader."""
    folder = Path(sys.executable).parent
    if not (folder / "esptool").exists():
        missing_tool("esptool is not installed: make tools")
    monkeypatch.setenv("PATH", str(folder))
    image = tmp_path / "image.bin"
    image.write_bytes(micropython())
    loader = BootLoader(4 * flash_image.MIB)
    with SerialPort(loader) as port:
        classic_firmware.flash(port.path, image)
    assert loader.erased and loader.flash[4 : image.stat().st_size] == micropython()[4:]
    assert loader.flash[2:4] == bytes((2, 0x40)) and set(loader.flash[image.stat().st_size :]) == {0xFF}  # dio, 4 MiB


def test_failure_to_flash_says_what_to_look_at(tools, tmp_path):
    tool(tools, "esptool", "#!/bin/sh\nexit 2\n")
    with pytest.raises(BuildError, match="GPIO0 low"):
        classic_firmware.flash("/dev/ttyUSB0", tmp_path / "image.bin")


def test_command_says_what_is_missing(tmp_path, capsys):
    assert classic_firmware.main(["--micropython-dir", str(tmp_path)]) == 1
    assert "must be a clone" in capsys.readouterr().err


def test_result_is_not_kept_in_git():
    ignored = (cache.ROOT / ".gitignore").read_text().splitlines()
    assert "/" + os.fspath(classic_firmware.RESULT.relative_to(cache.ROOT)) in ignored
