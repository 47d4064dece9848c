"""A program for the emulated ESP8266: what the parts of the bridge's work cost.

    ENVIRONMENT.romfs ROMFS|- BYTES-OF-HEAP bridge_parts

Prints `name value` lines, of instructions.
"""

import gc
import hashlib

import border

from protocol import mailbox

_BLOCK = 64  # bytes, of SHA-256
_TIMES = 50
_LOOPS = (10, 1_000_010)  # instructions
_BYTES = (10, 110)  # of an I2C transfer
_SEALED = 200  # bytes of payload


def counted(function, *arguments):
    border.count()
    function(*arguments)
    return border.count()


def loops():
    few, many = _LOOPS
    print("loop", border.loop(many) - border.loop(few), many - few)


def hashing():
    data = memoryview(bytes(_BLOCK * 11))
    digest = hashlib.sha256()
    one, many = data[:_BLOCK], data
    counted(digest.update, one)
    print("sha256", (counted(digest.update, many) - counted(digest.update, one)) // 10)
    buffer = bytearray(mailbox.SLOT)
    sealed = mailbox.parts(memoryview(buffer), 0, _SEALED, 0)
    arguments = (mailbox.FROM_CONTROLLER, bytes(4), sealed, 1, mailbox.DATA, 1, 1)
    mailbox.seal_transfer(*arguments)
    print("seal", counted(mailbox.seal_transfer, *arguments))


def i2c():
    from machine import Pin

    bus = border.SoftI2C(scl=Pin(0), sda=Pin(2), freq=400000)
    buffers = {count: bytearray(count) for count in _BYTES}

    def write(count):
        bus.writeto_mem(18, 0, buffers[count], addrsize=16)

    def read(count):
        bus.readfrom_mem_into(18, 0, buffers[count], addrsize=16)

    for name, transfer in (("write", write), ("read", read)):
        few, many = _BYTES
        transfer(few)
        transfer(many)
        a, b = counted(transfer, few), counted(transfer, many)
        print(name + "_byte_100", b - a)
        print(name + "_call", a - (b - a) * (few + (3 if name == "write" else 4)) // (many - few))


async def switches():
    from asyncio import sleep_ms

    await sleep_ms(0)
    border.count()
    for _ in range(_TIMES):
        await sleep_ms(0)
    print("switch", border.count() // _TIMES)


def interrupts():
    class Woken:
        flag = 0

        def on_edge(self, pin):
            self.flag = 1

    handler = Woken().on_edge
    border.interrupt(handler)
    border.count()
    border.interrupt(handler)
    print("interrupt", border.count())


class Thing:
    def method(self):
        pass


class Filled:
    def __init__(self):
        self.a = self.b = self.c = self.d = 0


async def coroutine():
    pass


def sizes():
    thing, data = Thing(), bytes(10)
    for name, make in (
        (None, lambda: None),  # what the measurement itself allocates
        ("an_instance", Thing),
        ("an_instance_with_4_attributes", Filled),
        ("a_bound_method", lambda: thing.method),
        ("a_coroutine", coroutine),
        ("a_memoryview", lambda: memoryview(data)),
        ("a_bytearray_of_10", lambda: bytearray(10)),
        ("a_list_of_4", lambda: [0, 0, 0, 0]),
        ("a_dict_of_4", lambda: {1: 0, 2: 0, 3: 0, 4: 0}),
        ("an_OSError", lambda: OSError(5)),
    ):
        make()
        gc.collect()
        before = gc.mem_alloc()
        made = make()
        taken = gc.mem_alloc() - before
        del made
        if name is None:
            of_nothing = taken
        else:
            print("size_of_" + name, taken - of_nothing)


def start():
    import asyncio

    gc.collect()
    loops()
    hashing()
    i2c()
    interrupts()
    sizes()
    asyncio.run(switches())


border.device(start)
