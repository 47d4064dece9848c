"""The bound on every wait of a test for what has to come."""

import time

PATIENCE_S = 60  # far above what a loaded machine needs: whoever waits so long has found a fault


def until(condition, what, seconds=PATIENCE_S):
    """Returns when condition() is true: for what another process does. Raises: AssertionError that names `what`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.01)
