"""Section 8 of docs/protocol.md names every parameter with its present value."""

import ast
import re
import unittest
from pathlib import Path

MICROPYTHON = False
MICROPYTHON_REASON = "parses the sources"

ROOT = Path(__file__).resolve().parent.parent.parent
# All integer constants of these are parameters, or facts of the wire; but for _T_.. and _I_.., which are indices,
# _W_.., codes that section 7 has, and _C_.., another module's written out (tests/esp_link/test_bridge.py compares).
MODULES = (
    "protocol/limits.py",
    "pb_link/limits.py",
    "pb_link/failures.py",
    "pb_link/runner.py",
    "pb_link/shortage.py",
    "pb_link/utc.py",
    "esp_link/bridge.py",
    "esp_link/names.py",
    "esp_link/uplink.py",
    "esp_link/wifi.py",
    "server/core/connection.py",
    "server/core/listener.py",
    "server/core/rate_limited_log.py",
    "server/core/rivals.py",
    "server/core/serving.py",
    "server/core/store.py",
    "server/core/time_service.py",
    "server/core/transport.py",
    "server/core/unread.py",
)
ROW = re.compile(r"^\| `([\w/]+\.py)` \| `(\w+)` \| ([\d,]+) \| ([^|]*) \| ([^|]+) \|$", re.MULTILINE)


def constants(path):
    """The integer constants that a module assigns, plain or by const()."""
    found = {}
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value
            if isinstance(value, ast.Call) and value.args:
                value = value.args[0]
            name = node.targets[0].id
            if name.startswith(("_T_", "_I_", "_W_", "_C_")) or not name.isupper():
                continue
            if isinstance(value, ast.Constant) and isinstance(value.value, int):
                found[name] = value.value
    return found


def documented():
    """Rows of the table: (path, name) -> (value, unit, reason)."""
    text = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
    section = text.split("\n## 8 ")[1].split("\n## 9 ")[0]
    return {
        (path, name): (int(value.replace(",", "")), unit.strip(), reason.strip())
        for path, name, value, unit, reason in ROW.findall(section)
    }


class TestParameters(unittest.TestCase):
    def test_every_parameter_is_in_the_table(self):
        rows = documented()
        missing = [f"{path} {name}" for path in MODULES for name in constants(path) if (path, name) not in rows]
        self.assertEqual(missing, [])

    def test_every_row_has_the_present_value(self):
        rows = documented()
        self.assertGreater(len(rows), 40)
        wrong = [
            f"{path} {name}: {row[0]} in the table"
            for (path, name), row in rows.items()
            if constants(path).get(name) != row[0]
        ]
        self.assertEqual(wrong, [])

    def test_every_row_has_a_unit_and_a_reason(self):
        for (path, name), (_, unit, reason) in documented().items():
            self.assertTrue(unit and reason, f"{path} {name}")


if __name__ == "__main__":
    unittest.main()
