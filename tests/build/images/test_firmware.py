"""The images in firmware/ are what the sources give, hold what the bridge needs, and no more."""

import ast
import json
import subprocess

import pytest

import pb_link
from build.images import firmware
from build.tools.shell import BuildError, MissingTool
from protocol import control
from protocol.version import RELEASE, release_text
from tests.build.imports import imported

START = "esp_link/main.py"


@pytest.fixture(scope="module")
def built(missing_tool):
    try:
        return firmware.images()
    except MissingTool as error:
        missing_tool(str(error))


def test_checked_in_images_are_what_the_sources_give(built):
    assert firmware.differing(built) == [], "run `make firmware` and commit what it writes"


def test_the_same_sources_give_the_same_bytes_anywhere(built, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert firmware.images() == built


def test_check_fails_when_an_image_differs(built, tmp_path):
    for name, image in built.items():
        (tmp_path / name).write_bytes(image)
    assert firmware.differing(built, tmp_path) == []
    (tmp_path / "esp_link.romfs").write_bytes(built["esp_link.romfs"] + b"\xff")
    (tmp_path / "manifest.json").unlink()
    assert firmware.differing(built, tmp_path) == ["esp_link.romfs", "manifest.json"]


def test_image_is_small(built, report_line):
    size = len(built["esp_link.romfs"])
    report_line(f"esp_link.romfs: {size:,} bytes of at most {firmware.MAX_ROMFS_BYTES:,}")
    assert size <= firmware.MAX_ROMFS_BYTES


def test_images_do_not_overlap_and_fit_the_flash(built):
    manifest = json.loads(built["manifest.json"])
    for size in manifest["flash_sizes"]:
        end = manifest["micropython"]["max_bytes"]
        for image in manifest["images"]:
            if size in image["flash_sizes"]:
                assert int(image["offset"], 16) >= end and image["bytes"] <= image["max_bytes"]
                end = int(image["offset"], 16) + image["max_bytes"]
        assert end <= firmware.FLASH_SIZES[size] - firmware.FS_END_BYTES


def test_manifest_names_the_release(built):
    assert json.loads(built["manifest.json"])["release"] == release_text(RELEASE)


def test_release_is_the_same_wherever_a_board_has_it_written_out():
    assert pb_link.__version__ == release_text(RELEASE)
    assert control.RELEASE_RECORD == bytes((control.RELEASE, *RELEASE))
    assert f'"esp_link: up, release {release_text(RELEASE)}"' in (firmware.ROOT / "esp_link/start.py").read_text()


def test_image_holds_all_that_the_bridge_imports_and_no_more():
    assert imported(START) == set(firmware.modules())


def test_what_the_bridge_loads_when_it_is_needed_imports_nothing_of_what_is_in_memory():
    """program.py has taken that out of sys.modules: it would be loaded again."""
    files = firmware.modules()
    bundle = firmware.bundle()
    for name, path in files.items():
        module = name.removesuffix(".py").replace("/", ".")
        if not name.endswith("__init__.py") and name != START and module not in bundle.joined:
            assert f"from {firmware.ROOT_MODULE} " not in bundle.beside(module), name
            if module.startswith("esp_link.") and module != "esp_link.selftest":
                names = {f"{one}/" for one in ("i2c_devices", "primitives", "esp_link")}
                found = {one for one in imported_at_import(path) if one.startswith(tuple(names))}
                assert found == set(), name


def imported_at_import(path):
    """The project's files that the file imports when it is imported itself."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {f"{module.replace('.', '/')}.py" for module in found}


def test_missing_module_is_named(tmp_path):
    manifest = tmp_path / "manifest.py"
    manifest.write_text('package("esp_link", ("gone.py",))\n')
    with pytest.raises(BuildError, match="esp_link/gone.py"):
        firmware.modules(manifest)


def test_compiler_from_the_source_of_micropython_gives_the_same_bytes(built, mpy_cross, tmp_path):
    files = firmware.modules()
    for name, path in firmware.joined(tmp_path, files, firmware.bundle()).items():
        compiled = tmp_path / "compiled.mpy"
        subprocess.run([mpy_cross, "-s", firmware.source_name(name), "-o", compiled, path], check=True)
        assert compiled.read_bytes() in built["esp_link.romfs"], name


def test_traceback_names_files_and_a_package_without_another_name():
    names = [firmware.source_name(name) for name in ("esp_link/main.py", "esp_link/__init__.py")]
    assert names == ["esp_link/main.py", "esp_link"]


def test_format_of_the_bytecode_is_found_whatever_the_size_of_the_file_is():
    """It was looked for as the first `M` behind the name, which the size may have."""
    for size in (b"\x4d", b"\x81\x4d", b"\xcd\x01"):
        image = b"\x01\x10\x08main.mpy\x02" + size + b"M\x06\x00\x1f and its code"
        assert firmware.mpy_version(image) == {"version": 6, "native_code": False, "small_int_bits": 31}
    with pytest.raises(BuildError, match="no .mpy file"):
        firmware.mpy_version(b"main.mpy\x02\x04 neither")


def test_bytecode_is_of_a_version_that_the_named_releases_read(built):
    mpy = json.loads(built["manifest.json"])["micropython"]["mpy"]
    assert mpy == {"version": 6, "native_code": False, "small_int_bits": 31}


def test_line_of_a_traceback_of_the_joined_bridge_is_found(capsys):
    assert firmware.main(["--where", "esp_link/program.py:400"]) == 0
    file, _, rest = capsys.readouterr().out.partition(":")
    assert (firmware.ROOT / file).is_file() and rest.split()[0].isdecimal()
    assert firmware.main(["--where", "esp_link/program.py"]) == 1
    assert "give it as esp_link/program.py:LINE" in capsys.readouterr().err
