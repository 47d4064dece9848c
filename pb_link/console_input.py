"""MicroPython's REPL over the link: what is typed at the server comes on channel 3, and os.dupterm reads it here.

While the application runs, its link takes what has come. Ctrl-C raises KeyboardInterrupt out of the main program's
asyncio.run, in no task of the application or the link; what was typed before it is dropped. Then MicroPython shows its
prompt, and asks `readinto` for the next byte, over and over. The event loop does not run at the prompt, so `readinto`
runs it for a moment each time: the link lives, and so do the tasks of the application. While a statement that was typed
is executed, nothing else runs. Loaded with AppBase(.., console=True, repl=True).
"""

import gc

from primitives.platform import core, sleep_ms, ticks_ms
from protocol import const

_CTRL_C = b"\x03"
# What is typed while the application runs and nobody reads: so many bytes are kept, further messages are dropped.
TYPED_BYTES = const(256)
# The loop is run for so long at the prompt, and then the interpreter looks at its other terminals.
_MOMENT_MS = const(10)


async def _interrupt():
    raise KeyboardInterrupt


async def _moment():
    await sleep_ms(_MOMENT_MS)


class Input:
    """Args: console: Console."""

    def __init__(self, console):
        self._console = console
        self._data = b""  # the message that is being read
        self._at = 0
        self._at_prompt = False  # `readinto` runs the loop

    def waits(self):
        """True if there is something to read."""
        return self._at < len(self._data) or self._front() is not None

    def look(self):
        """Take what has come while the application runs. Raises: MemoryError; it may be called again."""
        while not self._at_prompt:
            data = self._front()
            if data is None:
                return
            end = data.rfind(_CTRL_C) + 1
            if end:
                data = data[end:]
                self._console.create_task(_interrupt())
            else:
                typed = self._data[self._at :]
                data = typed + data if len(typed) + len(data) <= TYPED_BYTES else typed
            self._take(data)

    def readinto(self, buf):
        """Read one byte. Returns 1, or None if there is none. Raises nothing."""
        try:
            if not self.waits():
                self._run_loop()
            if self._at >= len(self._data):
                data = self._front()
                if data is None:
                    return None
                self._take(data)
        except MemoryError:
            gc.collect()
            return None
        if self._at >= len(self._data):  # an empty message
            return None
        buf[0] = self._data[self._at]
        self._at += 1
        return 1

    def _front(self):
        """The bytes of the oldest message that was not taken, or None."""
        channel = self._console.channel
        if channel is None or channel.front(ticks_ms()) is None:
            return None
        return channel.front_data()

    def _take(self, data):
        """The oldest message is accepted. data: what is to be read from now on."""
        link = self._console.link
        link.channels.accept(self._console.channel, ticks_ms())
        link.flag.set()
        self._data = data
        self._at = 0

    def _run_loop(self):
        """The interpreter waits for a byte: let the tasks run. Raises: MemoryError."""
        if self._at_prompt:
            return
        task = core.cur_task  # None at the prompt; a task if it is one that reads stdin
        self._at_prompt = True
        try:
            core.run_until_complete(core.create_task(_moment()))
        except MemoryError:
            raise
        except KeyboardInterrupt:  # at another terminal
            self._data = _CTRL_C
            self._at = 0
        except BaseException as error:  # what a task lets out, such as SystemExit, is not the prompt's end
            print("pb_link: at the prompt:", repr(error))
        finally:
            self._at_prompt = False
            core.cur_task = task
