"""The shared test files under real MicroPython, and whether all device code compiles there."""

import subprocess

import pytest

from tests.micropython.run import ROOT, run_file, shared_files, why_left_out

DEVICE_FOLDERS = ("protocol", "primitives", "i2c_devices", "pb_link", "esp_link", "sensor_bus")
COMPILED = (*DEVICE_FOLDERS, "server/core", "examples")  # a server may run there too


@pytest.mark.parametrize("path", shared_files(), ids=lambda path: str(path.relative_to(ROOT / "tests")))
@pytest.mark.parametrize("bits", (64, 32))
def test_shared_file_passes(bits, path, request):
    reason = why_left_out(path)
    if reason:
        pytest.skip(f"under CPython only: {reason}")
    good, output = run_file(request.getfixturevalue(f"micropython{bits}"), path)
    print(output)
    assert good, output


@pytest.mark.parametrize("folder", COMPILED)
def test_device_code_compiles(folder, mpy_cross, tmp_path):
    errors = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        command = [mpy_cross, "-o", str(tmp_path / "out.mpy"), str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            errors.append(f"{path.relative_to(ROOT)}: {done.stderr.strip()}")
    assert not errors, "\n".join(errors)


@pytest.fixture
def project(tmp_path):
    """A project with the board's library and one folder of tests, to which a test adds a file."""
    (tmp_path / "tests" / "protocol").mkdir(parents=True)
    (tmp_path / "sim" / "mpy" / "boards").mkdir(parents=True)
    (tmp_path / "sim" / "mpy" / "boards" / "lib").symlink_to(ROOT / "sim" / "mpy" / "boards" / "lib")
    return tmp_path


@pytest.mark.parametrize(
    ("body", "good", "shown"),
    [
        ("def test_it(self): self.assertEqual(1, 1)", True, "1 passed"),
        ("def test_it(self): self.assertEqual(1, 2)", False, "1 failed"),
        ("def helper(self): pass", False, "no tests"),
        ("def test_it(self): raise SystemExit(0)", False, "without a closing line"),
        ("import typing", False, "no module named 'typing'"),
    ],
)
def test_runner_tells_a_pass_from_a_failure(project, micropython64, body, good, shown):
    path = project / "tests" / "protocol" / "test_sample.py"
    path.write_text(f"import unittest\n\nclass TestSample(unittest.TestCase):\n    {body}\n")
    passed, output = run_file(micropython64, path, root=project)
    assert passed == good
    assert shown in output


def test_file_is_left_out_only_with_a_reason(tmp_path):
    path = tmp_path / "test_sample.py"
    path.write_text('MICROPYTHON = False\nMICROPYTHON_REASON = "needs hypothesis"\n')
    assert why_left_out(path) == "needs hypothesis"
    path.write_text("MICROPYTHON = False\n")
    with pytest.raises(ValueError, match="MICROPYTHON_REASON"):
        why_left_out(path)
    path.write_text("import unittest\n")
    assert why_left_out(path) is None
