"""How a sensor bus behaves, on any bed: `self.rig(config, reset=)` makes one.

A rig is a Watch (watch.py) with `add(type, address, slot, ..)`, which returns a device that can be plugged, unplugged
and made to fail (sim/wires/sensors/member.py), `hold_sda(slot, held)`, and `run(program)`. What it is told may have its
effect a moment later, so each test waits for that.
"""

import asyncio

from sensor_bus.errors import Barred, NoAnswer, QueueFull, TimedOut

MCP, TMP, AHT = 0x18, 0x48, 0x38
SOON_S = 5
SCAN = {"busScanPeriodMs": 1000}  # so that what is plugged in is found soon
MUX = {"busScanPeriodMs": 1000, "mux": {"enable": True}}


def slot(number, address):
    return address | number << 8


def celsius(sample):
    """Returns what an MCP9808 has measured."""
    word = (sample.data[0] << 8 | sample.data[1]) & 0x1FFF
    return (word - 0x2000 if word & 0x1000 else word) / 16


async def polled(rig, *addresses, ms=50):
    """Returns when these devices are polled, from then on each so many ms."""
    await rig.until(lambda: all([rig.of(one) for one in addresses]), SOON_S)
    for address in addresses:
        rig.bus.configure(address, interval_us=ms * 1000)


async def more(rig, *addresses, count=3):
    """Returns when each of these devices has given more samples."""
    begin = rig.now()
    await rig.until(lambda: all([len(rig.of(one, begin)) >= count for one in addresses]), SOON_S)


class FindingBehaviour:
    def test_devices_are_found_identified_and_polled_with_their_values(self):
        rig = self.rig(SCAN)
        rig.add("MCP9808", values={"temperature": -3.25})
        rig.add("TMP117")
        rig.add("AHT20")

        async def program(rig):
            await polled(rig, MCP, TMP, AHT)
            await rig.until(lambda: celsius(rig.of(MCP)[-1]) == -3.25, SOON_S)

        rig.run(program)
        self.assertEqual(rig.names(), {MCP: "MCP9808", TMP: "TMP117", AHT: "AHT20"})
        for address in (MCP, TMP, AHT):
            self.assertEqual(rig.kinds(address), ["found", "identified", "online"])

    def test_device_that_is_pulled_is_gone_and_found_again(self):
        rig = self.rig(SCAN)
        member = rig.add("TMP117")

        async def program(rig):
            await polled(rig, TMP)
            member.unplug()
            await rig.until(lambda: rig.kinds(TMP)[-2:] == ["offline", "gone"], SOON_S)
            self.assertEqual(rig.bus.devices(), [])
            count = len(rig.samples)
            member.plug()
            await rig.until(lambda: len(rig.samples) > count, SOON_S)
            self.assertEqual(rig.kinds(TMP)[5:], ["found", "identified", "online"])

        rig.run(program)

    def test_wrong_part_is_online_without_a_type_until_one_is_added(self):
        rig = self.rig(SCAN)
        rig.add("TMP117", identity=0x1234)

        async def program(rig):
            await rig.until(lambda: rig.kinds(TMP) == ["found", "online"], SOON_S)
            self.assertEqual(rig.names(), {TMP: None})
            poll = {"c": "0x0f=r2", "i": 50, "s": 2}
            rig.bus.add_type(
                {"deviceType": "Mine", "addresses": "0x48", "detectionValues": "0x0f=0x1234", "initValues": "",
                 "pollInfo": poll}
            )  # fmt: skip
            await rig.until(lambda: rig.of(TMP), SOON_S)
            self.assertEqual(rig.names(), {TMP: "Mine"})
            self.assertEqual(bytes(rig.of(TMP)[0].data), b"\x12\x34")

        rig.run(program)


class SlotBehaviour:
    def test_devices_of_one_address_are_told_apart_by_their_slots(self):
        rig = self.rig(MUX)
        rig.add("PCA9548A")
        rig.add("MCP9808", slot=1, values={"temperature": 10})
        rig.add("MCP9808", slot=8, values={"temperature": 20})

        async def program(rig):
            await polled(rig, slot(1, MCP), slot(8, MCP))
            await asyncio.sleep(0.5)  # both have measured
            begin = rig.now()
            await more(rig, slot(1, MCP), slot(8, MCP), count=10)
            for number, value in ((1, 10), (8, 20)):
                self.assertEqual({celsius(one) for one in rig.of(slot(number, MCP), begin)}, {value})

        rig.run(program)

    def test_device_that_is_moved_to_another_slot_and_to_the_bus_itself_is_there(self):
        rig = self.rig(MUX)
        rig.add("PCA9548A")
        member = rig.add("MCP9808", slot=1)

        async def program(rig):
            await polled(rig, slot(1, MCP))
            for address in (slot(4, MCP), MCP, slot(2, MCP)):
                member.plug(address >> 8)
                await rig.until(lambda wanted=[address]: list(rig.names()) == wanted, 3 * SOON_S)
                await more(rig, address, count=1)

        rig.run(program)

    def test_multiplexer_behind_a_multiplexer_leads_to_its_device(self):
        rig = self.rig(MUX)
        rig.add("PCA9548A", 0x70)
        rig.add("PCA9548A", 0x71, slot=3)
        rig.add("MCP9808", slot=13)

        async def program(rig):
            await polled(rig, slot(13, MCP))
            await more(rig, slot(13, MCP))
            self.assertEqual(list(rig.names()), [slot(13, MCP)])

        rig.run(program)

    def test_multiplexer_that_refuses_shows_no_device_in_another_slot(self):
        rig = self.rig(MUX)
        mux = rig.add("PCA9548A", 0x70)
        rig.add("PCA9548A", 0x71)
        rig.add("MCP9808", slot=1, values={"temperature": 10})
        rig.add("MCP9808", slot=9, values={"temperature": 20})

        async def program(rig):
            await polled(rig, slot(1, MCP), slot(9, MCP), ms=20)
            await asyncio.sleep(0.5)
            begin = rig.now()
            for _ in range(10):
                mux.nack(2)
                await more(rig, slot(1, MCP), slot(9, MCP), count=2)
            for number, value in ((1, 10), (9, 20)):
                self.assertEqual({celsius(one) for one in rig.of(slot(number, MCP), begin)}, {value})
            self.assertEqual(rig.kinds(0x70), [])

        rig.run(program)

    def test_multiplexer_that_is_pulled_takes_its_devices_along_and_comes_back(self):
        rig = self.rig(MUX)
        mux = rig.add("PCA9548A")
        rig.add("MCP9808", slot=1)
        rig.add("TMP117")

        async def program(rig):
            await polled(rig, slot(1, MCP), TMP)
            mux.unplug()
            await rig.until(lambda: "gone" in rig.kinds(slot(1, MCP)), SOON_S)
            await more(rig, TMP)
            begin = rig.now()
            mux.plug()
            await rig.until(lambda: rig.of(slot(1, MCP), begin), 3 * SOON_S)
            self.assertEqual(rig.kinds(TMP), ["found", "identified", "online"])

        rig.run(program)


class FaultBehaviour:
    def test_few_refusals_lose_nobody_and_more_do(self):
        rig = self.rig(SCAN)
        member = rig.add("TMP117")

        async def program(rig):
            await polled(rig, TMP)
            for _ in range(5):
                member.nack(2)
                await more(rig, TMP)
            self.assertEqual(rig.kinds(TMP), ["found", "identified", "online"])
            member.nack(3)
            await rig.until(lambda: "gone" in rig.kinds(TMP), SOON_S)

        rig.run(program)

    def test_wire_that_a_device_holds_is_freed_and_nobody_is_lost(self):
        rig = self.rig(SCAN)
        member = rig.add("MCP9808", values={"temperature": 20})
        rig.add("TMP117")

        async def program(rig):
            await polled(rig, MCP, TMP)
            await asyncio.sleep(0.5)
            begin = rig.now()
            for bit in (0, 7, 8, 15):
                member.stick_sda(bit, 0)
                await asyncio.sleep(0.1)
                await more(rig, MCP, TMP)
            self.assertEqual({celsius(one) for one in rig.of(MCP, begin)}, {20})
            self.assertEqual([one[1] for one in rig.events if one[1] in ("offline", "gone", "stuck")], [])

        rig.run(program)

    def test_wire_that_stays_low_is_told_and_so_is_its_end(self):
        rig = self.rig(SCAN)
        rig.add("TMP117")

        async def program(rig):
            await polled(rig, TMP)
            rig.hold_sda(0, True)
            await rig.until(lambda: rig.kinds(None) == ["stuck"], SOON_S)
            self.assertEqual(rig.bus.devices(), [])
            begin = rig.now()
            rig.hold_sda(0, False)
            await rig.until(lambda: rig.kinds(None) == ["stuck", "freed"], SOON_S)
            await rig.until(lambda: rig.of(TMP, begin), SOON_S)

        rig.run(program)


class UseBehaviour:
    def test_barred_device_is_left_alone_until_its_time_is_over(self):
        rig = self.rig(SCAN)
        rig.add("TMP117")

        async def program(rig):
            await polled(rig, TMP)
            rig.bus.bar(TMP, 3600000)
            with self.assertRaises(Barred):
                await rig.bus.request(TMP, b"\x0f", 2)
            await asyncio.sleep(0.2)
            count = len(rig.of(TMP))
            await asyncio.sleep(0.5)
            self.assertEqual(len(rig.of(TMP)), count)
            rig.bus.bar(TMP, 0)
            await more(rig, TMP)
            self.assertEqual(rig.kinds(TMP), ["found", "identified", "online"])

        rig.run(program)

    def test_paused_bus_answers_requests_and_polls_nothing(self):
        rig = self.rig(SCAN)
        rig.add("TMP117")

        async def program(rig):
            await polled(rig, TMP)
            rig.bus.pause()
            await asyncio.sleep(0.2)
            count = len(rig.samples)
            self.assertEqual(await rig.bus.request(TMP, b"\x0f", 2, timeout_ms=60000), b"\x01\x17")
            await asyncio.sleep(0.5)
            self.assertEqual(len(rig.samples), count)
            rig.bus.resume()
            await more(rig, TMP)

        rig.run(program)

    def test_errors_of_requests_are_told_apart(self):
        rig = self.rig({"busScanPeriodMs": 1000, "lowLoad": True})
        rig.add("TMP117")

        async def program(rig):
            await polled(rig, TMP)
            with self.assertRaises(NoAnswer):
                await rig.bus.request(0x50, b"\x00", 1, timeout_ms=60000)
            with self.assertRaises(NoAnswer):
                await rig.bus.request(slot(1, TMP), b"\x0f", 2, timeout_ms=60000)
            with self.assertRaises(ValueError):
                await rig.bus.request(TMP)
            rig.bus.hiatus(600)
            asked = [asyncio.create_task(rig.bus.request(TMP, b"\x0f", 2, timeout_ms=60000)) for _ in range(3)]
            await asyncio.sleep(0)
            with self.assertRaises(QueueFull):
                await rig.bus.request(TMP, b"\x0f", 2)
            for one in asked:
                self.assertEqual(await one, b"\x01\x17")
            rig.bus.hiatus(3600000)
            with self.assertRaises(TimedOut):
                await rig.bus.request(TMP, b"\x0f", 2, timeout_ms=50)

        rig.run(program)

    def test_two_subscribers_get_every_sample_each_and_a_slow_one_knows_what_it_missed(self):
        rig = self.rig(SCAN)
        rig.add("TMP117")

        async def program(rig):
            await polled(rig, TMP, ms=20)
            rig.bus.configure(TMP, samples=5)
            first, second, slow = rig.bus.samples(), rig.bus.samples(), rig.bus.samples()
            got = [[], []]

            async def take(subscription, into):
                async for sample in subscription:
                    into.append(sample.time)

            tasks = [asyncio.create_task(take(one, into)) for one, into in ((first, got[0]), (second, got[1]))]
            await rig.until(lambda: len(got[0]) >= 20, SOON_S)
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            self.assertEqual(got[0][:20], got[1][:20])
            self.assertEqual((first.missed, second.missed), (0, 0))
            late = [slow.get_nowait() for _ in range(6)]
            self.assertTrue(all(late[:5]) and late[5] is None)
            self.assertGreaterEqual(slow.missed, 15)

        rig.run(program)
