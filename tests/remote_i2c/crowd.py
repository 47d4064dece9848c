"""A client of test_faults.py, a process of its own: a counter at an address, raised for ever.

The device has two registers that are always equal: both are written in one transfer, and are read in one. A transfer
that was torn leaves them different. Usage: python3 -m tests.remote_i2c.crowd PORT REGISTER
"""

import sys
import time

from remote_i2c.smbus_client.messages import i2c_msg
from remote_i2c.smbus_client.smbus import SMBus
from tests.patience import PATIENCE_S
from tests.remote_i2c.doors import A

PAIRS = 16  # bytes of a block
PAUSE_S = 0.001  # between batches: other tests run beside this one


def main(port, register):
    count = 0
    with SMBus(f"grpc://127.0.0.1:{port}/1", timeout_s=PATIENCE_S, retry_s=PATIENCE_S) as bus:
        while True:
            count = count + 1 & 0xFF
            batch = bus.batch()
            read = i2c_msg.read(A, PAIRS)
            for _ in range(4):
                batch.write_i2c_block_data(A, register, [count] * PAIRS)
                batch.i2c_rdwr(i2c_msg.write(A, [register]), read)
            batch.run()
            if list(read) != [count] * PAIRS:
                print(f"torn: {list(read)}", flush=True)
                return
            print(count, flush=True)
            time.sleep(PAUSE_S)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
