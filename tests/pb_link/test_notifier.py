"""Which hooks are called, when one of them takes its time."""

import asyncio
import unittest

from pb_link.notifier import Notifier
from primitives.supervisor import Supervisor
from protocol.control import BAD_SERVER, BAD_WIFI
from protocol.errors import LinkDown


class App:
    """Records the calls. Each takes as long as `gate` is not set."""

    def __init__(self):
        self.calls = []
        self.running = 0
        self.gate = asyncio.Event()
        self.error = None

    async def _call(self, what):
        self.calls.append(what)
        self.running += 1
        if self.running > 1:
            raise AssertionError("two hooks at a time")
        await self.gate.wait()
        self.running -= 1
        if self.error:
            raise self.error

    async def bad_wifi(self):
        await self._call("bad_wifi")

    async def bad_server(self):
        await self._call("bad_server")

    async def report(self, data):
        await self._call(data)

    async def server_ok(self, up):
        await self._call(up)


class Resumed(App):
    async def resumed(self, kept):
        await self._call(("resumed", kept))


async def settle():
    for _ in range(50):
        await asyncio.sleep(0)


class TestHooks(unittest.TestCase):
    def play(self, act, then=None, of=App):
        """The calls after act(notifier), while the first call waits, and then(notifier), when none does."""

        async def main():
            self.tasks = Supervisor()
            app = self.app = of()
            notifier = Notifier(app, self.tasks)
            act(notifier)
            await settle()
            self.assertTrue(len(app.calls) <= 1)
            if then:
                then(notifier)
            app.gate.set()
            await settle()
            self.assertEqual(app.running, 0)
            return app.calls

        return asyncio.run(main())

    def test_newest_report_is_told_when_the_last_hook_has_ended(self):
        def more(notifier):
            for i in range(1, 300):
                notifier.report([1, i, 0])

        calls = self.play(lambda notifier: notifier.report([1, 0, 0]), more)
        self.assertEqual(calls, [[1, 0, 0], [1, 299, 0]])

    def test_state_of_the_server_is_told_if_it_is_not_what_was_told_last(self):
        def flap(*states):
            def then(notifier):
                for up in states:
                    notifier.server_ok(up, True)

            return then

        def up(notifier):
            notifier.server_ok(True, True)

        self.assertEqual(self.play(up, flap(False, True, False)), [True, False])
        self.assertEqual(self.play(up, flap(False, True)), [True])
        self.assertEqual(self.play(flap(True, False)), [])

    def test_session_that_was_set_up_is_told_after_the_servers_state_and_false_outlasts_true(self):
        def sessions(*kept):
            def then(notifier):
                for one in kept:
                    notifier.server_ok(True, one)
                    notifier.server_ok(False, one)
                notifier.server_ok(True, kept[-1])

            return then

        def begin(notifier):
            notifier.server_ok(True, False)

        told = [True, ("resumed", False)]
        self.assertEqual(self.play(begin, of=Resumed), told)
        self.assertEqual(self.play(begin, sessions(True), Resumed), told)
        self.assertEqual(self.play(lambda notifier: notifier.report([0, 0, 0]), sessions(True, False, True), Resumed),
                         [[0, 0, 0]] + told)  # fmt: skip
        self.assertEqual(self.play(lambda notifier: notifier.report([0, 0, 0]), sessions(True), Resumed),
                         [[0, 0, 0], True, ("resumed", True)])  # fmt: skip
        self.assertEqual(self.play(begin, sessions(True)), [True], "it has no such hook")

    def test_loss_of_the_link_is_not_told_as_a_session(self):
        def lost(notifier):
            notifier.server_ok(False, False)

        self.assertEqual(self.play(lambda notifier: notifier.server_ok(True, True), lost, Resumed),
                         [True, False, ("resumed", True)])  # fmt: skip

    def test_each_initial_failure_is_told_once(self):
        def fail(notifier):
            for kind in (BAD_SERVER, BAD_WIFI) * 3:
                notifier.failed(kind)

        self.assertEqual(self.play(fail, fail), ["bad_server", "bad_wifi"])

    def test_failure_after_the_first_connection_is_not_an_initial_one(self):
        def fail(notifier):
            notifier.server_ok(False, True)
            notifier.failed(BAD_SERVER)

        self.assertEqual(self.play(lambda notifier: notifier.server_ok(True, True), fail), [True, False])

    def test_initial_failure_that_is_over_is_not_told(self):
        def connect(notifier):
            notifier.failed(BAD_SERVER)
            notifier.server_ok(True, True)

        self.assertEqual(self.play(lambda notifier: notifier.report([0, 0, 0]), connect), [[0, 0, 0], True])

    def test_all_that_waits_is_told_failures_first(self):
        def all_of_it(notifier):
            notifier.report([0, 1, 0])
            notifier.failed(BAD_WIFI)

        calls = self.play(lambda notifier: notifier.report([0, 0, 0]), all_of_it)
        self.assertEqual(calls, [[0, 0, 0], "bad_wifi", [0, 1, 0]])

    def test_nothing_is_told_after_close(self):
        def close(notifier):
            notifier.report([0, 1, 0])
            notifier.close()
            notifier.server_ok(True, True)

        self.assertEqual(self.play(lambda notifier: notifier.report([0, 0, 0]), close), [[0, 0, 0]])
        self.assertEqual(self.play(close), [])

    def test_exception_of_a_hook_is_a_fault_of_the_group(self):
        def fail(notifier):
            self.app.error = ValueError("in the hook")

        self.play(lambda notifier: notifier.report([0, 0, 0]), fail)
        self.assertTrue(isinstance(self.tasks.fault, ValueError))

    def test_hook_that_waited_for_a_line_when_the_link_was_closed_is_no_fault(self):
        def close(notifier):
            notifier.close()
            self.app.error = LinkDown("closed")

        self.play(lambda notifier: notifier.report([0, 0, 0]), close)
        self.assertTrue(self.tasks.fault is None)


if __name__ == "__main__":
    unittest.main()
