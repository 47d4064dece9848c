"""What a program does, as lists that a test can compare. It is no test by itself."""

from binascii import hexlify, unhexlify

from sensor_bus.steps import Steps


def listed(program, got=b""):
    """Returns [(hex of what is written, bytes to read, pause in ms)] of the steps. Args: got: all bytes read."""
    steps, found = Steps(program), []
    while steps.next():
        found.append((str(hexlify(bytes(steps.write)), "utf-8"), steps.size(got), steps.pause_ms))
    return found


def matching(program, *answers):
    """Returns whether a device with these answers, hex, one for each step that reads, is detected."""
    steps, left = Steps(program), list(answers)
    while steps.next():
        size = steps.size(b"")
        if size:
            data = unhexlify(left.pop(0))
            assert len(data) == size
            if not steps.matches(data):
                return False
    return True
