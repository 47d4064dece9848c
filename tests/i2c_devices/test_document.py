"""docs/i2c-devices.md names every parameter with its present value, and every port."""

import re
import unittest

from i2c_devices.port_table import PORTS
from tests.protocol.test_parameters import ROOT, ROW, constants

MICROPYTHON = False
MICROPYTHON_REASON = "parses the sources"

TEXT = (ROOT / "docs" / "i2c-devices.md").read_text(encoding="utf-8")


class TestDocument(unittest.TestCase):
    def test_parameters_have_their_present_values(self):
        rows = ROW.findall(TEXT)
        self.assertGreater(len(rows), 7)
        for path, name, value, _, _ in rows:
            self.assertEqual(constants(path)[name], int(value.replace(",", "")), name)

    def test_ports_are_those_of_the_module(self):
        for port in PORTS:
            row = re.search(rf"^\| [^|]*`{port.name}`[^|]*\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|", TEXT, re.MULTILINE)
            self.assertIsNotNone(row, port.name)
            memory, exact, hard, call_bytes = (cell.strip() for cell in row.groups())
            said = (memory, exact, hard, call_bytes)
            able = {True: "yes", False: "no"}
            size = "" if not port.byte_events else "1" if port.call_bytes == 1 else f"up to {port.call_bytes}"
            self.assertEqual(said, ("yes", able[port.byte_events], able[port.hard], size))


if __name__ == "__main__":
    unittest.main()
