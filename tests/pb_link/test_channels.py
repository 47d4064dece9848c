"""The client's calls on channels. The link's loop does not run: a session of the server is at the other end, and frames
go from one to the other when the test says so."""

import asyncio
import unittest

from pb_link.app_base import AppBase  # noqa: F401 - first: MicroPython's stack is short for what channels import
from pb_link.channels import Message, bytes_of
from primitives.platform import sleep_ms, ticks_ms
from protocol import strict_json
from protocol.errors import Expired, LinkDown
from tests.pb_link.channel_app import App, turns


class TestChannels(unittest.TestCase):
    def test_messages_go_both_ways_and_are_accepted_when_they_are_returned(self):
        async def main():
            app = App()
            channel = app.channel(20)
            self.assertIs(app.channel(20), channel)
            app.connect()
            sending = asyncio.create_task(channel.send("text \u00e4"))
            await turns()
            self.assertFalse(sending.done())
            app.exchange()
            await sending
            self.assertEqual(app.read, {20: ["text \u00e4".encode()]})
            theirs = app.server.channels.get(20)
            theirs.append(b"\n\xff", True)
            app.exchange()
            self.assertEqual(theirs.acknowledged, 0)
            message = await channel.receive()
            self.assertTrue(isinstance(message, Message))
            self.assertEqual((message.data, message.channel), (b"\n\xff", 20))
            app.exchange()
            self.assertEqual(theirs.acknowledged, 1)

        asyncio.run(main())

    def test_message_survives_a_cut_and_one_without_qos_does_not_wait_for_a_link(self):
        async def main():
            app = App()
            channel = app.channel(20)
            await channel.send(b"lost", qos=False)
            await channel.send(b"kept", wait=False)
            app.connect()
            app.cut()
            await channel.send(b"lost too", qos=False)
            app.connect()
            await channel.send(b"here", qos=False)
            app.exchange()
            self.assertEqual(app.read, {20: [b"kept", b"here"]})

        asyncio.run(main())

    def test_calls_keep_their_order_and_wait_for_room_on_their_channel_only(self):
        async def main():
            app = App()
            channels = app.channel(99), app.channel(20)
            app.connect()
            tasks = [asyncio.create_task(channels[0].send(bytes(3000) + b"%d" % i, wait=False)) for i in range(9)]
            await turns()
            app.exchange()
            await turns()
            self.assertFalse(tasks[-1].done())
            await channels[1].send(b"other", wait=False)
            app.exchange()
            self.assertEqual(app.read, {20: [b"other"]})
            theirs = app.server.channels.get(99)
            got = []
            while len(got) < 9:
                while theirs.front(ticks_ms()) is not None:
                    got.append(theirs.front_data()[3000:])
                    app.server.channels.accept(theirs, ticks_ms())
                app.exchange()
                await turns()
            self.assertEqual(got, [b"%d" % i for i in range(9)])

        asyncio.run(main())

    def test_late_message_is_told_and_takes_no_place(self):
        async def main():
            app = App()
            channel = app.channel(20)
            sending = asyncio.create_task(channel.send(b"late", ttl_ms=20))
            await sleep_ms(40)
            self.assertTrue(app._link.session.channels.tick(ticks_ms()))
            app._link.changed.pulse()
            try:
                await sending
                self.fail("it was in time")
            except Expired as error:
                self.assertIn("channel 20", str(error))
            await channel.send(b"next", wait=False)
            app.connect()
            app.exchange()
            self.assertEqual(app.read, {20: [b"next"]})

        asyncio.run(main())

    def test_receive_times_out_and_ends_with_the_link(self):
        async def main():
            app = App()
            channel = app.channel(20)
            try:
                await channel.receive(10)
                self.fail("nothing was sent")
            except asyncio.TimeoutError:
                pass
            app._link.closed = True
            for call in (channel.receive(), channel.send(b"")):
                try:
                    await call
                    self.fail("the link is closed")
                except LinkDown:
                    pass

        asyncio.run(main())

    def test_bad_arguments_send_nothing(self):
        async def main():
            app = App()
            for number in (0, 1, 4, 15, True, 128, None, "20", 20.0):  # 1 to 15 are not for applications
                self.assertRaises(ValueError, app.channel, number)
            app.channel(4, 1)
            self.assertRaises(ValueError, app.channel, 4)
            self.assertEqual((app.channel(16).number, app.channel(127).number), (16, 127))
            channel = app.channel(20)
            for data, ttl_ms, kind in ((5, None, TypeError), (bytes(8187), None, ValueError), (b"", 0, ValueError),
                                       (b"", 1 << 30, ValueError), (b"", 1.5, TypeError)):  # fmt: skip
                try:
                    await channel.send(data, ttl_ms=ttl_ms)
                    self.fail("it was taken")
                except kind:
                    pass
            app.connect()
            app.exchange()
            self.assertEqual(app.read, {})

        asyncio.run(main())

    def test_json_goes_both_ways_and_a_message_that_is_none_is_taken(self):
        async def main():
            app = App()
            channel = app.channel(20)
            app.connect()
            await channel.send_json({"on": [True, None, 1.5]}, wait=False)
            for bad, kind in ((b"", TypeError), (float("nan"), ValueError)):
                try:
                    await channel.send_json(bad)
                    self.fail("it was taken")
                except kind:
                    pass
            app.exchange()
            self.assertEqual(app.read, {20: [b'{"on":[true,null,1.5]}']})
            theirs = app.server.channels.get(20)
            for data in (b"[1 2]", b' {"a": 1}', b"more"):
                theirs.append(data, True)
            app.exchange()
            try:
                await channel.receive_json()
                self.fail("it is no JSON")
            except ValueError as error:
                self.assertEqual(str(error), "bad JSON at byte 3: a comma or the closing bracket is missing")
            self.assertEqual(await channel.receive_json(0), {"a": 1})
            self.assertEqual((await channel.receive()).data, b"more")
            app.exchange()
            self.assertEqual(theirs.acknowledged, 3)

        asyncio.run(main())

    def test_json_for_which_there_is_no_memory_waits_for_the_next_call(self):
        def without_memory(data):
            strict_json.decode_json = decode_json
            raise MemoryError

        async def main():
            app = App()
            channel = app.channel(20)
            app.connect()
            app.server.channels.get(20).append(b"[1]", True)
            app.exchange()
            strict_json.decode_json = without_memory
            try:
                await channel.receive_json()
                self.fail("there was no memory")
            except MemoryError:
                pass
            self.assertEqual(await channel.receive_json(), [1])

        decode_json = strict_json.decode_json
        asyncio.run(main())

    def test_bytes_of_what_can_be_sent(self):
        for data in (b"ab", bytearray(b"ab"), memoryview(b"ab"), "ab"):
            self.assertEqual(bytes_of(data), b"ab")


if __name__ == "__main__":
    unittest.main()
