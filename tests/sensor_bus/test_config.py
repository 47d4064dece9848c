"""The configuration: defaults, and what is said of what is wrong."""

import unittest

from sensor_bus.config import Config

POWER = {
    "ioExps": {"exps": [{"dev": "PCA9535", "addr": "0x21", "muxAddr": "0x71", "muxChanIdx": 2, "vPinBase": 200}]},
    "mux": {"enable": True},
    "pwr": {
        "voltageLevels": ["off", "3V3"],
        "slotGroups": [{"name": "A", "startSlotNum": 1, "numSlots": 8, "levelsExclOff": [{"vPins": [203], "on": [1]}]}],
    },
}


class TestConfig(unittest.TestCase):
    def test_defaults_are_the_seeds(self):
        config = Config()
        self.assertEqual((config.scan_period_ms, config.yield_ms, config.fast_ms, config.slow_ms), (20000, 5, 10, 2))
        self.assertEqual((config.mux_enabled, config.mux_first, config.mux_last), (False, 0x70, 0x77))
        self.assertEqual((config.identify, config.low_load, config.lockup, list(config.boost)), (True, False, None, []))

    def test_addresses_may_be_text_or_numbers(self):
        self.assertEqual(Config({"scanBoost": ["0x6a", 0x36], "lockupDetect": "0x25"}).boost, [0x6A, 0x36])

    def test_power_and_expanders(self):
        config = Config(POWER)
        self.assertEqual(config.expanders, [(0x21 | 11 << 8, 200, 16)])
        self.assertEqual(config.groups, [(1, 8, [(203, True)])])

    def test_what_is_wrong_is_named(self):
        for items, name in (
            ({"busScanPeriodMs": 5}, "busScanPeriodMs"),
            ({"busScanPeriodMs": True}, "busScanPeriodMs"),
            ({"scanBoost": ["0x90"]}, "scanBoost"),
            ({"scanBoost": "0x6a"}, "scanBoost"),
            ({"mux": {"enable": 2}}, "mux.enable"),
            ({"mux": {"minAddr": "0x70", "maxAddr": "0x6f"}}, "mux.maxAddr"),
            ({"mux": {"rstpin": 3}}, "mux.rstpin"),
            ({"sdaPin": 3}, "sdaPin"),
            ({"nothing": 3}, "nothing"),
            ({"ioExps": {"exps": [{}]}}, "ioExps.exps.addr"),
            ({"ioExps": {"exps": [{"addr": "0x20", "dev": "MCP23017"}]}}, "dev"),
            ({"ioExps": {"exps": [{"addr": "0x20", "muxAddr": "0x70"}]}}, "muxAddr"),
            ({"pwr": {"slotGroups": [{"levelsExclOff": [{"vPins": [1], "on": []}]}]}}, "levelsExclOff"),
            ({"pwr": {"slotGroups": [{"levelsExclOff": []}]}}, "defaultLevelIdx"),
            ({"pwr": {"slotGroups": [{"levelsExclOff": [{"vPins": [1], "on": [1]}]}]}}, "virtual pin 1"),
        ):
            try:
                Config(items)
            except ValueError as error:
                self.assertTrue(name in str(error), str(error))
            else:
                self.fail(str(items))


if __name__ == "__main__":
    unittest.main()
