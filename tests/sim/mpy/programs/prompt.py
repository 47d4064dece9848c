"""A client with a REPL, whose server is a session in the same process: types at MicroPython's own prompt.

    terminal -i prompt.py        the interpreter of `build/micropython.py --terminal`, which has os.dupterm

When the program has been interrupted by Ctrl-C from the server, the interpreter shows its prompt and asks os.dupterm
for what is typed. Whoever types is a task of the event loop, which only runs at the prompt if the console runs it. A
line on stdout is "seen: " and what the server has got.
"""

import asyncio

from primitives.platform import sleep_ms
from tests.pb_link.test_console import app

TYPED = (
    ("application runs", b"\x03"),
    (">>> ", b"1+1\r"),
    ("2\r\n>>> ", b"[i * 111 for i in range(3)]\r"),
    ("222]", b"one.console.ring.count < 1024\r"),
    ("True", b"1/0\r"),
    ("ZeroDivisionError", b"asyncio.run(one.until_closed())\r"),
    ("until_closed())", b"\x03"),
    ("KeyboardInterrupt", b"print('answer', 6 * 7)\r"),
    ("answer 42", b"\x04"),
)

one = app(repl=True)


def shown():
    return one.text().decode()


async def type_it():
    seen = 0
    for text, typed in TYPED:
        while text.replace("\r", "") not in shown()[seen:]:
            await sleep_ms(10)
            one.exchange()
        seen = len(shown())
        one.server.channels.get(3).append(typed, True)
        one.exchange()
    one.console.muted = True
    print("seen:", repr(shown()))


async def application():
    while True:
        print("application runs")
        await sleep_ms(300)


async def main():
    one.begin()
    await sleep_ms(0)
    one.connect()
    asyncio.create_task(type_it())
    await application()


asyncio.run(main())
