"""Reports of the bridge are passed on to the server, and to the application as before. Runs under both interpreters."""

import asyncio
import unittest

import pb_link.app_base  # noqa: F401 - by itself, since MicroPython's stack is short
from pb_link.bridge_reports import BridgeReports
from protocol.bridge_reports import BRIDGE_CHANNEL, decode_bridge_report
from protocol.control import REPORT_BYTES, encode_report_into
from tests.pb_link.channel_app import App, turns


def report(number, fallbacks=3):
    record = bytearray(REPORT_BYTES)
    encode_report_into(record, 0, 2, number, 24000, fallbacks)
    return bytes(record)


class TestBridgeReports(unittest.TestCase):
    def play(self, main):
        async def whole():
            app = App()
            app.reports = []
            app._link.notifier.report = app.reports.append
            BridgeReports(app)
            await main(app)

        asyncio.run(whole())

    def sent(self, app):
        app.exchange()
        return [decode_bridge_report(data) for data in app.read.pop(BRIDGE_CHANNEL, ())]

    def test_report_goes_to_the_server_and_to_the_hook(self):
        async def main(app):
            app.connect()
            app._link._take_control(report(7))
            self.assertEqual(self.sent(app), [(2, 7, 24000, 3, (0, 2, 0), 0)])
            self.assertEqual(app.reports, [[2, 7, 24000]])

        self.play(main)

    def test_strength_of_the_signal_is_the_newest_that_the_bridge_has_told(self):
        async def main(app):
            app.connect()
            for signal in (b"\x08\xbd", b"\x08\xc4"):
                app._link._take_control(signal)
            for malformed in (b"\x08", b"\x08\x80more"):
                app._link._take_control(malformed)
            app._link._take_control(report(0))
            self.assertEqual(self.sent(app)[0][5], -60)

        self.play(main)

    def test_strength_that_the_bridge_does_not_tell_any_more_is_not_known(self):
        async def main(app):
            app.connect()
            app._link._take_control(b"\x08\xc4")
            for number in range(2):
                app._link._take_control(report(number))
            self.assertEqual([one[5] for one in self.sent(app)], [-60, 0])

        self.play(main)

    def test_release_is_that_which_the_bridge_has_told(self):
        async def main(app):
            app.connect()
            app._link._take_control(b"\x07\x00\x01\x09")
            app._link._take_control(report(0))
            self.assertEqual(self.sent(app)[0][4], (0, 1, 9))

        self.play(main)

    def test_report_is_left_out_while_there_is_no_connection(self):
        async def main(app):
            app._link._take_control(report(0))
            app.connect()
            self.assertEqual(self.sent(app), [])
            app.cut()
            app._link._take_control(report(1))
            app.connect()
            await turns()
            self.assertEqual(self.sent(app), [])
            app._link._take_control(report(2))
            self.assertEqual([one[1] for one in self.sent(app)], [2])
            self.assertEqual([data[1] for data in app.reports], [0, 1, 2])

        self.play(main)

    def test_reports_that_find_no_room_are_left_out(self):
        async def main(app):
            app.connect()
            for number in range(500):
                app._link._take_control(report(number))
            sent = self.sent(app)
            self.assertTrue(0 < len(sent) < 500, len(sent))
            self.assertEqual(len(app.reports), 500)

        self.play(main)

    def test_lack_of_memory_costs_the_report_alone(self):
        async def main(app):
            app.connect()
            notifier = app._link.notifier

            def fail(message):
                raise MemoryError

            app._link.channels.get(BRIDGE_CHANNEL).room_for = fail
            notifier.report([2, 0, 24000])
            self.assertEqual(app.reports, [[2, 0, 24000]])

        self.play(main)


if __name__ == "__main__":
    unittest.main()
