"""A batch: several calls in one round trip, while nobody else has the bus.

    batch = bus.batch()
    batch.write_byte_data(0x48, 1, 0x80)
    batch.read_word_data(0x48, 0)
    _, word = batch.run()                  # with AsyncSMBus: await batch.run()
"""

from remote_i2c.rpc.smbus_pb2 import BatchRequest
from remote_i2c.smbus_client.calls import Call, Calls


class Batch(Calls):
    """Notes calls instead of making them. Made by `SMBus.batch`; a call of it returns its number, from 0.

    An error of `run` has the number of its call as `step`: those before it were done, those behind it not."""

    def __init__(self, do, pec):
        self._make = do
        self._pec = pec
        self._calls = []

    def __len__(self):
        return len(self._calls)

    def _do(self, call):
        self._calls.append(call)
        return len(self._calls) - 1

    def run(self):
        """Make the calls, in their order. Returns the list of their results."""
        calls, self._calls = self._calls, []

        def result(reply):
            return [call.step_result(step) for call, step in zip(calls, reply.replies)]

        request = BatchRequest(steps=[call.step() for call in calls])
        return self._make(Call("Batch", request, result, all(call.repeatable for call in calls)))
