"""Which address is to be probed next, and in which slot: the plan of the scan. Pure.

The modes follow each other; a multiplexer that comes or goes starts them again.

    mode        addresses               slots                   until
    MUX_ONLY    those of multiplexers   the main bus            SWEEPS sweeps
    MAIN_BUS    all                     the main bus            SWEEPS sweeps
    FAST        all, by their lists     the main bus, all slots SWEEPS sweeps, as fast as the budget allows
    SLOW        all, by their lists     the main bus, all slots for ever: a sweep lasts busScanPeriodMs

In the two last modes a sweep is divided into rounds. Each round covers list 0 and a part of the rest, so that a sweep
covers list 1 three times and list 2 once: with the nine rounds of FAST, the lists come at 1 : 3 : 9. In SLOW a round
begins each ROUND_MS at the latest, so that what is in list 0 is found soon, whatever the period is.
"""

from protocol import const

MUX_ONLY = const(0)
MAIN_BUS = const(1)
FAST = const(2)
SLOW = const(3)

SWEEPS = const(4)  # of each mode but the last
ROUNDS = const(9)  # of a sweep in FAST
ROUND_MS = const(250)
_LEGS = const(3)  # of the rest: each has list 1 and a third of list 2
_MAIN = b"\x00"


class ScanPlan:
    """Args: lists: three bytes objects, Records.scan_lists; mux: bytes, the addresses of multiplexers, b"" if there
    are to be none; period_ms: busScanPeriodMs."""

    def __init__(self, lists, mux, period_ms):
        self._mux = mux
        self._period_ms = period_ms
        self._slots = _MAIN
        self.set_lists(lists)
        self.restart()

    def set_lists(self, lists):
        """Go on with these lists: a type was added."""
        self._lists = lists
        self._leg = self._place = 0

    def restart(self, slots=_MAIN):
        """Begin with the first mode. Args: slots: bytes, 0 (the main bus) and the slots that there are."""
        self._slots = slots
        self._begin_mode(MUX_ONLY if self._mux else MAIN_BUS)

    def rescan(self):
        """Scan fast from now on, and then as before."""
        self._begin_mode(FAST)

    def _begin_mode(self, mode):
        self.mode = mode
        self._due = None  # when the next round of SLOW begins; None: at once
        self._round = self._leg = self._place = 0
        self._begin_round()

    def _begin_round(self):
        self._at = self._left = 0
        self._begun = None
        if self.mode == MUX_ONLY:
            self._front, self._here = self._mux, _MAIN
        elif self.mode == MAIN_BUS:
            self._front, self._here = b"".join(self._lists), _MAIN
        else:
            self._front, self._here = self._lists[0], self._slots
            rest = (_LEGS * len(self._lists[1]) + len(self._lists[2])) * len(self._slots)
            rounds = self._rounds()
            at = self._round % rounds
            self._left = (at + 1) * rest // rounds - at * rest // rounds

    def _rounds(self):
        """Returns how many rounds a sweep has."""
        if self.mode < FAST:
            return 1
        return ROUNDS if self.mode == FAST else max(ROUNDS, self._period_ms // ROUND_MS)

    def next(self, now):
        """Returns (address, slot) to be probed next, or None: nothing is due. Args: now: 100 us."""
        if self._begun is None:
            if self._due is not None and now < self._due:
                return None
            self._begun = now
        if self._at < len(self._front) * len(self._here):
            slot, index = divmod(self._at, len(self._front))
            self._at += 1
            return self._front[index], self._here[slot]
        if self._left:
            self._left -= 1
            return self._of_rest()
        self._end_round()
        return None

    def _of_rest(self):
        _, second, third = self._lists
        while True:
            size = len(second) + (len(third) + _LEGS - 1 - self._leg) // _LEGS
            if self._place < size * len(self._slots):
                break
            self._leg = (self._leg + 1) % _LEGS
            self._place = 0
        slot, index = divmod(self._place, size)
        self._place += 1
        index -= len(second)
        return second[index] if index < 0 else third[self._leg + index * _LEGS], self._slots[slot]

    def _end_round(self):
        self._round += 1
        if self.mode == SLOW:
            self._due = self._begun + self._period_ms * 10 // self._rounds()
        elif self._round == SWEEPS * self._rounds():
            self._begin_mode(self.mode + 1)
            return
        self._begin_round()
