"""The configuration: defaults, and what is said of what is wrong."""

import unittest

from sensor_bus.config import Config

POWER = {
    "ioExps": {"exps": [{"dev": "PCA9535", "addr": "0x21", "muxAddr": "0x71", "muxChanIdx": 2, "vPinBase": 200}]},
    "mux": {"enable": True},
    "pwr": {
        "voltageLevels": ["off", "3V3"],
        "slotGroups": [
            {"name": "A", "startSlotNum": 1, "numSlots": 8, "levelsExclOff": [{"vPins": [203] * 8, "on": [1] * 8}]},
        ],
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
        self.assertEqual(config.groups, [(bytes(range(1, 9)), [(203, 1, 0)])])

    def test_each_level_has_a_pin_for_each_slot(self):
        levels = [{"vPins": [200, -1, 202], "on": [0, 0, 1]}, {"vPins": [203, 204, -1], "on": [1, 1, 1]}]
        group = {"startSlotNum": 9, "numSlots": 3, "defaultLevelIdx": 2, "levelsExclOff": levels}
        config = Config(dict(POWER, pwr={"voltageLevels": ["off", "3V3", "5V"], "slotGroups": [group]}))
        self.assertEqual(
            config.groups,
            [
                (b"\x09", [(200, 1, 1), (203, 1, 0)]),  # pin, level with power, level without
                (b"\x0a", [(204, 1, 0)]),
                (b"\x0b", [(202, 0, 0)]),  # it has no pin for this voltage, so it stays off
            ],
        )

    def test_slots_that_share_a_pin_are_one_group(self):
        level = {"vPins": [200, 201, 202, 200, -1], "on": [1, 1, 1, 1, 1]}
        other = {"vPins": [205, 203, 203, -1, -1], "on": [1, 0, 0, 1, 0]}
        group = {"startSlotNum": 1, "numSlots": 5, "levelsExclOff": [level, other]}
        groups = Config(dict(POWER, pwr={"slotGroups": [group]})).groups
        self.assertEqual(sorted([sorted(slots) for slots, _ in groups]), [[1, 4], [2, 3]])
        group["levelsExclOff"] = [level, {"vPins": [205, 203, 203, 203, -1], "on": [1, 0, 0, 0, 0]}]
        groups = Config(dict(POWER, pwr={"slotGroups": [group]})).groups
        self.assertEqual([sorted(slots) for slots, _ in groups], [[1, 2, 3, 4]])

    def test_reset_lines_are_wanted_by_any_item_that_has_one(self):
        for items in (
            {"mux": {"enable": True, "rstPin": 3}},
            {"mux": {"enable": True, "rstPins": [16, 17]}},
            {"mux": {"enable": True}, "ioExps": {"exps": [{"addr": 0x25, "muxAddr": "0x75", "muxRstPin": 16}]}},
        ):
            self.assertTrue(Config(items).mux_reset)
        exps = [{"addr": 0x25, "muxRstPin": -1}]
        for items in ({"mux": {"rstPin": -1, "rstPins": [-1]}}, {"ioExps": {"exps": exps}}):
            self.assertFalse(Config(items).mux_reset)

    def test_slots_that_are_serial(self):
        slots = [{"serEnPin": 200}, {"serEnPin": 201, "serEnLevel": 1, "defaultMode": "serial-half"}]
        config = Config(dict(POWER, slotControl={"slots": slots}))
        self.assertEqual(config.serial, [(0, 200, 1), (2, 201, 1)])

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
            ({"pwr": {"slotGroups": [{"numSlots": 2, "levelsExclOff": [{"vPins": [1], "on": [1]}]}]}}, "of 2 slots"),
            ({"pwr": {"slotGroups": [{"levelsExclOff": [{"vPins": [1], "on": [2]}]}]}}, "levelsExclOff.on"),
            ({"pwr": {"slotGroups": [{"levelsExclOff": [{"vPins": [1], "on": [1], "off": []}]}]}}, "levelsExclOff.off"),
            ({"pwr": {"voltageLevels": ["off"], "slotGroups": [{"levelsExclOff": [{}]}]}}, "0 levels beside off"),
            ({"pwr": {"slotGroups": [{"startSlotNum": 64, "numSlots": 2}]}}, "the last slot is 64"),
            ({"pwr": {"slotGroups": [{"levelsExclOff": [{"vPins": [1], "on": [1]}]}] * 2}}, "slot 0 is in two groups"),
            ({"mux": {"rstPins": 16}}, "mux.rstPins"),
            ({"mux": {"rstPins": ["16"]}}, "mux.rstPins"),
            ({"slotControl": {"slots": [{"defaultMode": "spi"}]}}, "slotControl.slots.defaultMode"),
            ({"slotControl": {"slots": [{"serEnPin": 1}]}}, "virtual pin 1"),
            ({"slotControl": {"slots": [{"serEn": 1}]}}, "slotControl.slots.serEn"),
            ({"identCheckMs": -1}, "identCheckMs"),
        ):
            try:
                Config(items)
            except ValueError as error:
                self.assertTrue(name in str(error), str(error))
            else:
                self.fail(str(items))


if __name__ == "__main__":
    unittest.main()
