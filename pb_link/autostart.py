"""Runs a board's program, and resets the board when it has ended: the main.py of `build/deploy.py --app FILE` calls it.

    import machine
    from pb_link import autostart

    autostart.run("client.py", machine.reset)

`AppBase.run` starts an application again within its session. This is for what comes out of a program nevertheless, such
as an error before `run`. After a reset nothing is left over from the life before: no task, no module, no interrupt.
"""

import sys
import time

from protocol import const

# Time to read why, and to interrupt it: also the time in which USB is there, when a program fails at once.
PAUSE_S = const(10)


def run(path, reset):
    """Run the program, and the board's reset when it has ended or raised something.

    path: its file, a source; it runs as `__main__`. reset: machine.reset.

    Raises: KeyboardInterrupt, in the program and in the pause: Ctrl-C gives the prompt, and nothing is reset.
    """
    try:
        execfile(path, {"__name__": "__main__", "__file__": path})  # noqa: F821 - MicroPython's
        print("pb_link: %s has ended" % path)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: nothing else starts it again
        sys.print_exception(error)
    print("pb_link: the board is reset in %d s. Ctrl-C stops that" % PAUSE_S)
    time.sleep(PAUSE_S)
    reset()
