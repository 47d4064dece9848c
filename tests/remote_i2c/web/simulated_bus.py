"""A bus with the simulator's devices, whose clock jumps: each transfer begins GAP_S after the one before.

Unrealistic: a driver that waits too short is not found out. All that these devices do ends within GAP_S.
"""

from errno import EIO, ENODEV

from remote_i2c.bus import SMBUS_BY_MESSAGES, SMBUS_QUICK, Bus
from remote_i2c.errors import BusError, no_answer, stopped
from tests.sim.wires.sensors.rig import Rig

GAP_S = 0.2


class SimulatedBus(Bus):
    """`add` is that of SensorWorld; `log`: the transfers that have been made."""

    name = "simulated"
    functions = SMBUS_BY_MESSAGES | SMBUS_QUICK

    def __init__(self):
        self._rig = Rig()
        self.add = self._rig.add
        self.log = []

    async def transfer(self, transfer, timeout_ms=1000):
        self._rig.wait(GAP_S)
        self.log.append(transfer)
        answers = []
        for index, message in enumerate(transfer):
            if message.reads:
                answers.append(self._checked(self._rig.read(message.address, message.size), message, index))
            else:
                stop = index == len(transfer) - 1
                acks = self._checked(self._rig.write(message.address, message.data, stop), message, index)
                if acks < len(message.data):
                    raise stopped(message.address, index)
        return answers

    async def quick(self, address, read, timeout_ms=1000):
        self._rig.wait(GAP_S)
        if not self._rig.answers(address):
            raise no_answer(address)

    @staticmethod
    def _checked(result, message, index):
        if result == -ENODEV or result == b"":
            raise no_answer(message.address, index)
        if isinstance(result, int) and result < 0:
            raise BusError(EIO, address=message.address, index=index)
        return result
