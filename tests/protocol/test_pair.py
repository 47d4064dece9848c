"""Two sessions over a wire that breaks: every line once and in order, whatever
fault comes at whatever step."""

import unittest

from protocol.limits import MAX_LINE, RECORD_CHARGE, SEND_BYTES, SEND_LINES
from tests.protocol.wire import FAULTS, End, Wire, numbered

TO_SERVER = numbered("c", 5, 300)
TO_CLIENT = numbered("s", 5, 300)


def loaded_wire(faults=None, server=None):
    """A wire with lines waiting at both ends."""
    wire = Wire(server=server, faults=faults)
    for line in TO_SERVER:
        wire.client.write(line)
    for line in TO_CLIENT:
        wire.server.write(line)
    return wire


def steps():
    """How many frames a run without faults takes."""
    wire = loaded_wire()
    wire.run()
    return wire.step


class TestFaults(unittest.TestCase):
    def check(self, wire):
        self.assertEqual(wire.server.delivered, TO_SERVER)
        self.assertEqual(wire.client.delivered, TO_CLIENT)

    def test_all_lines_arrive_once_and_in_order(self):
        wire = loaded_wire()
        wire.run()
        self.check(wire)
        self.assertEqual(wire.connections, 1)

    def test_one_fault_at_any_step_loses_and_repeats_nothing(self):
        for fault in FAULTS:
            for step in range(steps()):
                with self.subTest(fault=fault, step=step):
                    wire = loaded_wire({step: fault})
                    wire.run()
                    self.check(wire)

    def test_two_faults_at_any_steps_lose_and_repeat_nothing(self):
        last = steps()
        for fault in FAULTS:
            for first in range(last):
                second = first + 1 + first % 4
                wire = loaded_wire({first: fault, second: "cut", second + 5: "lose"})
                wire.run()
                self.check(wire)

    def test_cut_at_every_frame_of_a_long_exchange_ends(self):
        faults = dict([(step, "cut") for step in range(0, 90, 6)])
        wire = loaded_wire(faults)
        wire.run()
        self.check(wire)
        self.assertGreater(wire.connections, 5)

    def test_fault_is_told_as_such(self):
        wire = loaded_wire({5: "corrupt"})
        wire.run()
        self.assertIn("MAC", wire.why[0])

    def test_last_frame_that_is_lost_is_found_by_its_stall(self):
        wire = Wire()
        wire.run()
        wire.faults[wire.step] = "lose"
        wire.client.write(b"one")
        wire.run()
        self.assertEqual(wire.server.delivered, [b"one"])
        self.assertIn("does not see", wire.why[0])


class TestReboot(unittest.TestCase):
    def test_client_reboot_at_any_step_repeats_nothing_at_the_server(self):
        for step in range(steps()):
            with self.subTest(step=step):
                wire = loaded_wire({step: lambda wire: wire.reboot(wire.client)})
                after = self.run_rebooted(wire, wire.client, numbered("d", 5))
                old = wire.server.delivered[: -len(after)]
                self.assertEqual(old, TO_SERVER[: len(old)])
                self.assertEqual(wire.server.delivered, old + after)
                self.check_lives(wire.client.lives, TO_CLIENT)

    def test_reboot_of_a_server_without_store_repeats_nothing_at_the_client(self):
        for step in range(steps()):
            with self.subTest(step=step):
                wire = loaded_wire({step: lambda wire: wire.reboot(wire.server)})
                after = self.run_rebooted(wire, wire.server, numbered("t", 5))
                old = wire.client.delivered[: -len(after)]
                self.assertEqual(old, TO_CLIENT[: len(old)])
                self.assertEqual(wire.client.delivered, old + after)
                self.check_lives(wire.server.lives, TO_SERVER)

    def run_rebooted(self, wire, end, lines):
        while len(end.lives) == 1:
            wire.turn()
        for line in lines:
            end.write(line)
        wire.run()
        return lines

    def check_lives(self, lives, sent):
        """No line is missing; what both lives saw was not acknowledged yet."""
        first, second = lives
        self.assertEqual(first, sent[: len(first)])
        self.assertEqual(second, sent[len(sent) - len(second) :])
        self.assertGreaterEqual(len(first) + len(second), len(sent))

    def test_restart_of_a_server_with_a_store_is_not_seen_at_all(self):
        for step in range(steps()):
            with self.subTest(step=step):
                server = End("server", False, durable=True)
                wire = loaded_wire({step: lambda wire: wire.reboot(wire.server)}, server)
                wire.run()
                self.assertEqual(wire.server.delivered, TO_SERVER)
                self.assertEqual(wire.client.delivered, TO_CLIENT)

    def test_both_reboot_at_once_and_go_on(self):
        wire = loaded_wire()
        wire.turn()
        wire.reboot(wire.client)
        wire.reboot(wire.server)
        wire.client.write(b"new")
        wire.run()
        self.assertEqual(wire.server.lives[1], [b"new"])

    def test_lines_of_the_old_life_still_held_do_not_acknowledge_the_new_ones(self):
        wire = Wire()
        wire.server.reading = False
        wire.client.write(b"old")
        while not wire.server.session.lines:
            wire.turn()
        wire.reboot(wire.client)
        wire.client.write(b"new")
        for _ in range(5):
            wire.turn()
        self.assertEqual(wire.client.store.outbox, [b"new"])
        wire.server.reading = True
        wire.run()
        self.assertEqual(wire.server.delivered, [b"old", b"new"])


class TestLines(unittest.TestCase):
    def test_longest_line_crosses_in_fragments(self):
        line = bytes(i % 95 + 32 for i in range(MAX_LINE))
        wire = Wire()
        wire.client.write(line)
        wire.server.write(line)
        wire.run()
        self.assertEqual(wire.server.delivered, [line])
        self.assertEqual(wire.client.delivered, [line])

    def test_longest_line_survives_a_cut_at_any_step(self):
        line = bytes(i % 95 + 32 for i in range(MAX_LINE))
        for step in range(0, 16):
            wire = Wire(faults={step: "cut"})
            wire.client.write(b"before")
            wire.client.write(line)
            wire.client.write(b"after")
            wire.run()
            self.assertEqual(wire.server.delivered, [b"before", line, b"after"])

    def test_empty_lines_are_lines(self):
        wire = Wire()
        for line in (b"", b"a", b"", b""):
            wire.client.write(line)
        wire.run()
        self.assertEqual(wire.server.delivered, [b"", b"a", b"", b""])

    def test_line_numbers_wrap(self):
        for before, after in ((0xFFFE, 0x10003), (0x3FFFFFFE, 3)):
            wire = Wire(faults={4: "cut"})
            wire.client.session._sender.start_at(before)
            for line in numbered("w", 5):
                wire.client.write(line)
            wire.run()
            self.assertEqual(wire.server.delivered, numbered("w", 5))
            self.assertEqual(wire.client.session._sender.base, after)

    def test_line_numbers_wrap_under_load(self):
        for before in (0xFFF0, 0x3FFFFFF0):
            wire = Wire(faults={40: "lose", 60: "cut", 80: "corrupt"})
            wire.client.session._sender.start_at(before)
            lines = numbered("w", 200)
            for line in lines:
                wire.client.write(line)
            wire.run(2000)
            self.assertEqual(wire.server.delivered, lines)

    def test_charged_bytes_wrap(self):
        lines = numbered("w", 20, 4000)  # more than 65,536 bytes on one connection
        wire = Wire()
        for line in lines:
            wire.client.write(line)
        wire.run()
        self.assertEqual(wire.server.delivered, lines)
        self.assertEqual(wire.connections, 1)


class TestUnnumbered(unittest.TestCase):
    def test_order_is_kept_among_lines_of_both_kinds(self):
        wire = Wire()
        wire.run()
        lines = numbered("q", 12, 200)
        for i, line in enumerate(lines):
            wire.client.write(line, i % 3 != 0)
        wire.run()
        self.assertEqual(wire.server.delivered, lines)

    def test_unnumbered_line_for_an_absent_peer_is_lost(self):
        wire = Wire()
        wire.client.write(b"lost", False)
        wire.client.write(b"kept")
        wire.run()
        self.assertEqual(wire.server.delivered, [b"kept"])

    def test_fault_at_any_step_never_doubles_or_reorders_an_unnumbered_line(self):
        lines = numbered("q", 10, 200)
        for fault in FAULTS:
            for step in range(5, 16):
                wire = Wire(faults={step: fault})
                wire.run()
                for i, line in enumerate(lines):
                    wire.client.write(line, i % 2 == 0)
                wire.run()
                got = wire.server.delivered
                self.assertEqual([line for line in lines if line in got], got)
                self.assertEqual([line for line in got if line in lines[0::2]], lines[0::2])

    def test_unnumbered_lines_in_flight_are_forgotten_at_a_cut(self):
        wire = Wire()
        wire.run()
        wire.client.write(b"gone", False)
        wire.cut()
        wire.client.write(b"kept")
        wire.run()
        self.assertEqual(wire.server.delivered, [b"kept"])


class TestBackPressure(unittest.TestCase):
    def blocked(self, lines, kinds=None, turns=200):
        wire = Wire()
        wire.run()
        wire.server.reading = False
        for i, line in enumerate(lines):
            wire.client.write(line, kinds is None or kinds[i])
        for _ in range(turns):
            wire.turn()
        return wire

    def test_sender_stops_when_nothing_is_accepted_and_goes_on_later(self):
        lines = numbered("b", 100, 500)
        wire = self.blocked(lines)
        receiver = wire.server.session._receiver
        self.assertEqual(len(receiver.lines), SEND_BYTES // len(lines[0]))
        self.assertEqual(wire.connections, 1)
        wire.server.reading = True
        wire.run()
        self.assertEqual(wire.server.delivered, lines)

    def test_held_lines_stay_within_the_receivers_bytes(self):
        for size in (0, 1, 60, 500, 4000):
            count = 1200 if size < 500 else 60
            wire = self.blocked(numbered("b", count, size), [False] * count)
            receiver = wire.server.session._receiver
            held = sum(len(line) + RECORD_CHARGE for line in receiver.lines)
            self.assertLessEqual(held, receiver.max_bytes)
            self.assertLess(receiver.room(), 2)

    def test_sender_holds_a_bounded_window(self):
        wire = self.blocked(numbered("b", 300, 500))
        sender = wire.client.session._sender
        self.assertFalse(sender.room_for(500))
        held = SEND_LINES + SEND_BYTES // 500
        self.assertLessEqual(300 - len(wire.client.pending), held)

    def test_acknowledgement_that_is_swallowed_is_asked_for(self):
        """The lines had been seen, so nothing under way is missed; and the peer has nothing else to say."""
        wire = self.blocked(numbered("b", 3), turns=3)
        self.assertEqual(len(wire.server.session.lines), 3)
        wire.faults[wire.step] = "lose"
        wire.server.reading = True
        wire.run()
        self.assertEqual(wire.server.delivered, numbered("b", 3))
        self.assertEqual(wire.connections, 2)
        self.assertIn("bad MAC", wire.why[0])

    def test_room_that_is_swallowed_is_asked_for(self):
        wire = self.blocked(numbered("b", 100, 500))
        wire.faults[wire.step] = "lose"
        wire.server.reading = True
        wire.run()
        self.assertEqual(wire.server.delivered, numbered("b", 100, 500))

    def test_probe_that_is_not_answered_is_a_fault(self):
        wire = self.blocked(numbered("b", 3))
        wire.faults.update(dict.fromkeys(range(wire.step, wire.step + 3), "lose"))
        wire.server.reading = True
        wire.run()
        self.assertEqual(wire.server.delivered, numbered("b", 3))
        self.assertEqual(wire.why[0], "the peer does not answer a probe")

    def test_wait_of_days_for_the_application_is_no_stall(self):
        wire = self.blocked(numbered("b", 100, 500))
        for _ in range(3):
            wire.now = (wire.now + (1 << 28)) & ((1 << 30) - 1)
            wire.turn()
        self.assertEqual(wire.connections, 1)
        wire.server.reading = True
        wire.run()
        self.assertEqual(wire.server.delivered, numbered("b", 100, 500))

    def test_cut_while_blocked_overflows_nothing(self):
        wire = self.blocked(numbered("b", 100, 500))
        for _ in range(5):
            wire.cut()
            for _ in range(20):
                wire.turn()
        wire.server.reading = True
        wire.run()
        self.assertEqual(wire.server.delivered, numbered("b", 100, 500))
        self.assertEqual(wire.why, ["cut"] * 5)

    def test_room_freed_by_an_unnumbered_line_is_told_while_a_long_line_waits_for_it(self):
        short, long = b"u" * 2300, b"l" * MAX_LINE
        wire = self.blocked([short, long], [False, True])
        self.assertEqual(wire.server.session.lines, [short])
        wire.server.reading = True
        wire.run(60)
        self.assertEqual(wire.server.delivered, [short, long])
        self.assertEqual(wire.connections, 1)

    def test_receiver_larger_than_the_header_can_tell_gives_room_back(self):
        wire = Wire(server=End("server", False, max_bytes=20000))
        wire.run()
        wire.server.reading = False
        lines = numbered("u", 40, 500)
        for i in range(20):
            wire.client.write(lines[i], False)
            wire.turn()
        wire.server.reading = True
        for i in range(20, 40):
            wire.client.write(lines[i], False)
            wire.turn()
        wire.run()
        self.assertEqual(wire.server.delivered, lines)


if __name__ == "__main__":
    unittest.main()
