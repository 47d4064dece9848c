"""The checker can see: with one defence switched off at a time, the soak reports violations, and without that none.

The defences are switched off here, by patching: product code has no switch for it.
"""

from functools import partial

import pytest

from i2c_devices.mailbox_target import MailboxTarget
from pb_link import channels as channels_module
from pb_link import link as link_module
from pb_link.app_base import AppBase
from pb_link.link import Link
from protocol import mailbox
from protocol.channel import Channel as ProtocolChannel
from protocol.channel_sender import ChannelSender
from protocol.frame import FrameSeal
from protocol.line_bytes import bytes_in, decode_line
from protocol.receiver import Receiver
from protocol.sender import Sender
from protocol.session import Session
from sim import checker
from sim.virtual.exhaustive import Point, allocations_of, play
from sim.virtual.soak import CHANNELS, case_of, run_of
from tests.sample import all_or

LINES = 100
I2C_NOISE = ("i2c-bitflip", "i2c-noise", "i2c-lost", "i2c-repeated")
ATTACKER = ("tcp-altered", "tcp-replayed", "tcp-reordered", "tcp-reflected", "tcp-dropped", "tcp-injected")
# With slow readers there is something received that is not accepted when the connection ends.
INTERRUPTIONS = ("bridge-kill", "tcp-reset", "tcp-half-open", "wifi-outage", "slow-client", "slow-server")


class Seen:
    """What the checker said of some seeds' runs. Args: enough(Seen): true once it has shown what is looked for;
    channels: numbers of those that have messages. With channels, `wrong` is what was wrong with their messages."""

    def __init__(self, faults, seeds, enough=None, channels=()):
        self.good = 0
        self.wrong = dict.fromkeys(("lost", "duplicated", "reordered", "corrupted", "untrue"), 0)  # of runs that ended
        self.failures = []
        for seed in range(seeds):
            run = run_of(case_of(seed, LINES, 40, faults)._replace(channels=channels, requests=()))
            try:
                self._count(run, run.run())
            except Exception as error:  # garbage that a program of the link stumbles on: seen as well
                self.failures.append(repr(error))
            if enough is not None and enough(self):
                break

    def _count(self, run, result):
        self.good += run.good
        if run.failure:
            self.failures.append(run.failure)
        ways = [result["client_to_server"], result["server_to_client"]]
        if run.job.works:
            ways = [way for work in run.job.works for way in work.ledger.verdict()]
        for name in self.wrong:
            count = sum(way.get(name, 0) for way in ways)
            self.wrong[name] += count if name != "lost" or not run.failure else 0

    def __repr__(self):
        return f"{self.good} good, {self.wrong}, {self.failures}"


class Defences:
    """Switches them off."""

    def __init__(self, monkeypatch):
        self._patch = monkeypatch
        self.mac_failures = 0

    def check(self):
        """The check over transfers in the mailbox."""
        self._patch.setattr(mailbox, "transfer_ok", lambda direction, epochs, parts: True)
        self._patch.setattr(MailboxTarget, "_whole", lambda target, head: True)

    def mac(self):
        self._patch.setattr(FrameSeal, "open", lambda seal, frame: len(frame) > 8)

    def count_mac_failures(self):
        original = FrameSeal.open

        def opened(seal, frame):
            genuine = original(seal, frame)
            self.mac_failures += not genuine
            return genuine

        self._patch.setattr(FrameSeal, "open", opened)

    def epochs(self):
        """Whoever comes is taken for whom it was before."""
        original = Session.attach

        def attach(session, seal, peer_epoch, *sizes):
            original(session, seal, session.peer_epoch or peer_epoch, *sizes)

        self._patch.setattr(Session, "attach", attach)

    def order_of_handing_over(self):
        """A line is accepted, and decoded after."""

        async def readline(app, timeout_ms=None):
            link = app._link
            while not link.session.lines:
                await link.changed.wait()
            return decode_line(app._take_line())

        self._patch.setattr(AppBase, "readline", readline)
        self._patch.setattr(link_module, "Session", partial(Session, line_in=bytes_in))

    def order_of_handing_over_messages(self):
        """A message is accepted, and its bytes are copied after."""

        async def receive(channel, timeout_ms=None):
            link, inner = channel._link, channel._channel
            while inner.front(channels_module.ticks_ms()) is None:
                await link.changed.wait()
            data = inner.front_data()
            link.session.channels.accept(inner, channels_module.ticks_ms())
            link.flag.set()
            return channels_module.Message(channels_module.bytes_of(data), channel.number)

        self._patch.setattr(channels_module.ClientChannel, "receive", receive)

    def recovery(self):
        """A failed allocation is noted, and comes out of the link."""

        def recover(link):
            raise MemoryError

        self._patch.setattr(Link, "_recover", recover)

    def patience(self):
        """A message is called late although an earlier connection may have carried it."""

        def expire(sender, now):
            ready, sender.ready = sender.ready, True
            try:
                return original(sender, now)
            finally:
                sender.ready = ready

        original = ChannelSender.expire
        self._patch.setattr(ChannelSender, "expire", expire)

    def telling_of_expiry(self):
        """The receiver drops what is late, and acknowledges it as if it had accepted it."""
        original = ProtocolChannel.accept
        self._patch.setattr(ProtocolChannel, "accept", lambda channel, expired=False: original(channel))

    def skipping(self):
        """What the peer has received and not accepted is sent again: superfluous, not wrong."""
        original = Sender.resume
        self._patch.setattr(Sender, "resume", lambda sender, ack, peer_next: original(sender, ack, ack))

    def deduplication(self):
        """Every record is taken for the next one."""
        original = Receiver.take_records
        self._patch.setattr(
            Receiver, "take_records", lambda receiver, number, *rest: original(receiver, receiver.next, *rest)
        )

    def retransmission(self):
        """What was sent once is not sent again."""
        original_disconnect, original_resume = Sender.disconnect, Sender.resume

        def disconnect(sender):
            sender.sent_before = sender._retained + getattr(sender, "sent_before", 0)
            original_disconnect(sender)

        def resume(sender, ack, peer_next):
            base = sender.base
            fault = original_resume(sender, ack, peer_next)
            left = getattr(sender, "sent_before", 0) - sender._retained - (sender.base - base & 0xFFFF)
            sender.sent_before = 0
            sender._retained += max(0, left)
            return fault

        self._patch.setattr(Sender, "disconnect", disconnect)
        self._patch.setattr(Sender, "resume", resume)


@pytest.fixture
def without(monkeypatch):
    return Defences(monkeypatch)


BOTH = pytest.mark.parametrize("channels", [(), CHANNELS], ids=["lines", "channels"])


@BOTH
@pytest.mark.parametrize(
    "faults", [I2C_NOISE, ATTACKER, INTERRUPTIONS, ("client-kill",), ("weak-random", "client-kill")]
)
def test_with_all_defences_nothing_is_reported(faults, channels):
    seeds = all_or(2, 4)
    seen = Seen(faults, seeds, channels=channels)
    assert seen.good == seeds, seen


@BOTH
def test_without_check_and_mac_corrupted_lines_are_reported(without, channels):
    without.check()
    without.mac()
    seen = Seen(I2C_NOISE, 20, lambda seen: seen.wrong["corrupted"], channels)
    assert seen.wrong["corrupted"], seen


@BOTH
def test_without_mac_an_attacker_is_reported(without, channels):
    without.mac()

    def shown(seen):
        wrong = seen.wrong
        return wrong["corrupted"] and wrong["duplicated"] + wrong["lost"] + wrong["reordered"]

    seen = Seen(ATTACKER, 6 if not channels else 12, shown, channels)
    assert shown(seen), seen


@BOTH
def test_without_epochs_and_mac_a_new_life_is_reported(without, channels):
    without.epochs()
    without.mac()
    seen = Seen(("client-kill",), 4, lambda seen: seen.failures or seen.wrong["lost"], channels)
    assert seen.failures or seen.wrong["lost"], seen


def test_without_skipping_deduplication_suffices(without):
    without.skipping()
    assert Seen(INTERRUPTIONS, 4).good == 4  # in which there are duplicates, as the next test shows


def test_without_deduplication_duplicates_are_reported(without):
    without.skipping()
    without.deduplication()
    seen = Seen(INTERRUPTIONS, 4, lambda seen: seen.wrong["duplicated"])
    assert seen.wrong["duplicated"], seen


def test_without_skipping_duplicates_are_reported_on_channels(without):
    """Their frames carry no numbers: where a channel goes on is said once on each connection."""
    without.skipping()
    seen = Seen(INTERRUPTIONS, 8, lambda seen: seen.wrong["duplicated"], CHANNELS)
    assert seen.wrong["duplicated"], seen


@BOTH
def test_without_retransmission_a_standstill_is_reported(without, channels):
    def shown(seen):
        return any("not everything was delivered" in failure for failure in seen.failures)

    without.retransmission()
    seen = Seen(INTERRUPTIONS, 4, shown, channels)
    assert shown(seen), seen


def test_without_waiting_for_the_peer_messages_are_called_late_that_were_delivered(without):
    without.patience()
    seen = Seen(INTERRUPTIONS, 12, lambda seen: seen.wrong["untrue"], CHANNELS)
    assert seen.wrong["untrue"], seen


def test_without_telling_of_expiry_messages_are_called_accepted_that_were_dropped(without):
    without.telling_of_expiry()
    seen = Seen(("slow-client", "slow-server"), 8, lambda seen: seen.wrong["lost"] or seen.failures, CHANNELS)
    assert seen.wrong["lost"] or seen.failures, seen


def memory_fails_in(function):
    """What is wrong when an allocation of this function of the client fails, for each of them."""
    places = allocations_of(1, "client-memory")
    points = [Point("client-memory", n + 1, 1) for n, place in enumerate(places) if place == function]
    assert points
    return [play(point)[1] for point in points]


def test_without_decoding_before_accepting_a_line_is_lost_for_want_of_memory(without):
    assert not any(memory_fails_in("text_in"))
    without.order_of_handing_over()
    assert any(memory_fails_in("decode_line"))


def test_without_copying_before_accepting_a_message_is_lost_for_want_of_memory(without):
    assert not any(memory_fails_in("bytes_of"))  # of what is sent
    assert not any(memory_fails_in("ClientChannel.receive"))
    without.order_of_handing_over_messages()
    assert any(memory_fails_in("bytes_of"))


def test_without_recovery_a_lack_of_memory_ends_the_client(without):
    assert not any(memory_fails_in("Receiver._keep"))
    without.recovery()
    assert all("program ended" in why for why in memory_fails_in("Receiver._keep"))


def test_without_check_the_mac_takes_its_place(without):
    """Lines stay right. Control records have no MAC: one that was damaged may stop the link, and then the run fails."""
    without.count_mac_failures()
    Seen(I2C_NOISE, 4)
    assert without.mac_failures == 0
    without.check()
    seen = Seen(I2C_NOISE, 4)
    assert without.mac_failures > 0
    assert checker.kept(seen.wrong), seen
