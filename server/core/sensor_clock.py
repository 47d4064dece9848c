"""The wall-clock times of samples, from a board that has no wall clock. Pure, for one start of the client's service.

Of each batch the server knows the board's time (in 100 us since its bus was made) and its own when it came. The
difference is the difference of the two clocks and the batch's delay, which is not negative. So the smallest difference
that was seen is the best: its error is the delay of the fastest batch. As the board's crystal drifts, an old difference
becomes worse; it is kept while a newer one is greater by no more than the drift of the time between.
"""

from protocol import const

PER_SECOND = const(10000)  # units of the board's time
# The drift that is allowed for, in units of 1e-6: crystals of boards have 20 to 50, an RC oscillator is not for this.
DRIFT_PPM = const(100)


class SensorClock:
    def __init__(self):
        self._offset_s = None
        self._at = 0  # the board's time when that was seen

    def note(self, board, received_s):
        """Note a batch. Args: board: the board's time in it; received_s: UTC in s when it came."""
        offset_s = received_s - board / PER_SECOND
        if self._offset_s is not None:
            drift_s = abs(board - self._at) / PER_SECOND * DRIFT_PPM / 1e6
            if offset_s > self._offset_s + drift_s:
                return
        self._offset_s, self._at = offset_s, board

    def utc(self, board):
        """Returns UTC in s of a time of the board's. Call `note` first."""
        return board / PER_SECOND + self._offset_s
