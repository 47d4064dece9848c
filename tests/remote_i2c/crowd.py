"""One of many clients of SMBus over gRPC, until it is killed: a process of kill_run.py.

Usage: python3 -m tests.remote_i2c.crowd PORT REGISTER [hangs]

It writes and reads a block of its own, in batches, and prints a line for each: a number, or "failed ERRNO PLACE". One
that has read another block than it wrote prints "torn .." and ends. With `hangs` each batch ends with a device that
never answers: it has the bus for as long as it may.
"""

import errno
import sys
import time

from remote_i2c.smbus_client.messages import i2c_msg
from remote_i2c.smbus_client.smbus import SMBus
from tests.patience import PATIENCE_S
from tests.remote_i2c.doors import A

HANGING = 0x66
PAIRS = 16  # bytes of a block
PAUSE_S = 0.001  # between batches: other tests run beside this one
HANGS_EVERY_S = 3.0


def main(port, register, hangs):
    count = 0
    with SMBus(f"grpc://127.0.0.1:{port}/1", timeout_s=PATIENCE_S, retry_s=PATIENCE_S) as bus:
        while True:
            count = count + 1 & 0xFF
            batch = bus.batch()
            read = i2c_msg.read(A, PAIRS)
            for _ in range(4):
                batch.write_i2c_block_data(A, register, [count] * PAIRS)
                batch.i2c_rdwr(i2c_msg.write(A, [register]), read)
            if hangs:
                batch.read_byte(HANGING)
            try:
                batch.run()
            except OSError as error:
                print("failed", errno.errorcode.get(error.errno), error.place, flush=True)
                time.sleep(HANGS_EVERY_S if hangs else PAUSE_S)
                continue
            if list(read) != [count] * PAIRS:
                print(f"torn: {list(read)}", flush=True)
                return
            print(count, flush=True)
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), "hangs" in sys.argv[3:])
