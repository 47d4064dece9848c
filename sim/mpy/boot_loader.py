"""The ESP8266's boot loader in ROM, and the flasher that esptool uploads to it, behind a pseudo-terminal.

It covers what esptool uses of both: SLIP frames; SYNC, READ_REG, WRITE_REG, MEM_*, FLASH_*; of the uploaded flasher
also FLASH_DEFL_*, ERASE_*, SPI_FLASH_MD5. The uploaded program is not executed: it is assumed to be esptool's own.
Source: Espressif, esptool documentation, "Serial Protocol".

Not modelled: baud rates, times, the reset lines (a pseudo-terminal has none), the ROM's erase of too many sectors.
"""

import hashlib
import os
import select
import threading
import tty
import zlib
from struct import error as StructError
from struct import pack, unpack_from

END, ESCAPE = b"\xc0", b"\xdb"
ESCAPED = ((ESCAPE, b"\xdb\xdd"), (END, b"\xdb\xdc"))  # in this order

FLASH_BEGIN, FLASH_DATA, FLASH_END, MEM_BEGIN, MEM_END, MEM_DATA = range(2, 8)
SYNC, WRITE_REG, READ_REG, SPI_SET_PARAMS = range(8, 12)
DEFL_BEGIN, DEFL_DATA, DEFL_END, FLASH_MD5 = range(0x10, 0x14)
ERASE_FLASH, ERASE_REGION = 0xD0, 0xD1
RUN_USER_CODE = 0xD3

OK, BAD_MESSAGE, BAD_CHECKSUM = b"\0\0", b"\1\5", b"\1\7"
SYNC_REPLIES = 8
SYNC_VALUE = 0x20120707  # of the ROM; the flasher's is 0
CHECKSUM_SEED = 0xEF

MAGIC_REGISTER = 0x40001000
ESP8266, ESP32 = 0xFFF0C101, 0x00F01D83
SPI_CMD, SPI_ADDR, SPI_USR2, SPI_W0 = 0x60000200, 0x60000204, 0x60000224, 0x60000240
SPI_START = 1 << 18
READ_ID, READ_SFDP = 0x9F, 0x5A
SFDP = 0x50444653  # at its address 0
WINBOND = 0x40EF

SECTOR = 4096


def encode_frame(packet):
    for plain, escaped in ESCAPED:
        packet = packet.replace(plain, escaped)
    return END + packet + END


def decode_frame(body):
    for plain, escaped in reversed(ESCAPED):
        body = body.replace(escaped, plain)
    return body


def checksum(data):
    check = CHECKSUM_SEED
    for byte in data:
        check ^= byte
    return check


class BootLoader:
    """The protocol without a port: `receive(packet)` returns the packets to send.

    Args: flash_bytes; magic: the value that identifies the chip; spoil: offset of a bit of flash that cannot be
    written, or None; silent_from: number of the first packet that is no longer answered, or None.
    """

    def __init__(self, flash_bytes, *, magic=ESP8266, spoil=None, silent_from=None):
        self.flash = bytearray(b"\0" * flash_bytes)  # not erased: it stands for an earlier firmware
        self.erased = False
        self.runs = False  # the program in flash has been started
        self.flasher = False  # esptool's program has been uploaded
        self.packets = 0
        self._registers = {MAGIC_REGISTER: magic}
        self._spoil = spoil
        self._silent_from = silent_from
        self._uploaded = 0
        self._at = 0
        self._inflate = None
        self._handlers = {
            SYNC: self._sync, READ_REG: self._read_register, WRITE_REG: self._write_register,
            MEM_BEGIN: self._mem_begin, MEM_DATA: self._mem_data, MEM_END: self._mem_end,
            FLASH_BEGIN: self._begin_plain, FLASH_DATA: self._data, FLASH_END: self._end,
        }  # fmt: skip
        self._flasher_handlers = {
            DEFL_BEGIN: self._begin_compressed, DEFL_DATA: self._data, DEFL_END: self._end, FLASH_MD5: self._md5,
            ERASE_FLASH: self._erase_flash, ERASE_REGION: self._erase_region, RUN_USER_CODE: self._run,
            SPI_SET_PARAMS: lambda data, check: [(0, OK)],
        }  # fmt: skip

    def receive(self, packet):
        self.packets += 1
        if self._silent_from is not None and self.packets >= self._silent_from:
            return []
        try:
            direction, operation, size, check = unpack_from("<BBHI", packet)
        except StructError:
            return []
        data = packet[8:]
        if direction or size != len(data):
            return []
        handler = self._handlers.get(operation)
        if handler is None and self.flasher:
            handler = self._flasher_handlers.get(operation)
        try:
            answers = handler(data, check) if handler else [(0, BAD_MESSAGE)]
        except StructError:
            answers = [(0, BAD_MESSAGE)]
        packets = [pack("<BBHI", 1, operation, len(body), value) + body for value, body in answers]
        if operation == MEM_END and self.flasher:
            packets.append(b"OHAI")
        return packets

    # Each takes (data, check) and returns [(value, body), ..]

    def _sync(self, data, check):
        return [(0 if self.flasher else SYNC_VALUE, OK)] * SYNC_REPLIES

    def _read_register(self, data, check):
        (address,) = unpack_from("<I", data)
        return [(self._registers.get(address, 0), OK)]

    def _write_register(self, data, check):
        address, value = unpack_from("<II", data)
        self._registers[address] = value
        if address == SPI_CMD and value & SPI_START:
            self._registers[SPI_CMD] = 0
            self._registers[SPI_W0] = self._spi(self._registers.get(SPI_USR2, 0) & 0xFF)
        return [(0, OK)]

    def _spi(self, command):
        if command == READ_ID:
            return WINBOND | (len(self.flash).bit_length() - 1) << 16
        if command == READ_SFDP and self._registers.get(SPI_ADDR, 0) == 0:
            return SFDP
        return 0

    def _mem_begin(self, data, check):
        unpack_from("<IIII", data)
        return [(0, OK)]

    def _mem_data(self, data, check):
        if checksum(data[16:]) != check:
            return [(0, BAD_CHECKSUM)]
        self._uploaded += len(data) - 16
        return [(0, OK)]

    def _mem_end(self, data, check):
        _, entry = unpack_from("<II", data)
        self.flasher = entry != 0 and self._uploaded > 0
        return [(0, OK)]

    def _begin_plain(self, data, check):
        size, _, _, self._at = unpack_from("<IIII", data)
        self._inflate = None
        self._erase(self._at, size)
        return [(0, OK)]

    def _begin_compressed(self, data, check):
        begun = self._begin_plain(data, check)
        self._inflate = zlib.decompressobj()
        return begun

    def _data(self, data, check):
        size, _ = unpack_from("<II", data)
        block = data[16 : 16 + size]
        if len(block) != size or checksum(block) != check:
            return [(0, BAD_CHECKSUM)]
        self._program(self._inflate.decompress(block) if self._inflate else block)
        return [(0, OK)]

    def _program(self, data):
        """Writes to flash. Flash that was not erased first only changes ones to zeros."""
        for i, byte in enumerate(data):
            self.flash[self._at + i] &= byte
        if self._spoil is not None and self._at <= self._spoil < self._at + len(data):
            self.flash[self._spoil] ^= 1
        self._at += len(data)

    def _end(self, data, check):
        (stay,) = unpack_from("<I", data)
        self.runs = self.runs or not (stay or self.flasher)
        return [(0, OK)]

    def _md5(self, data, check):
        at, size = unpack_from("<II", data)
        return [(0, hashlib.md5(self.flash[at : at + size]).digest() + OK)]

    def _erase_flash(self, data, check):
        self._erase(0, len(self.flash))
        self.erased = True
        return [(0, OK)]

    def _erase_region(self, data, check):
        self._erase(*unpack_from("<II", data))
        return [(0, OK)]

    def _erase(self, at, size):
        end = min(-(-(at + size) // SECTOR) * SECTOR, len(self.flash))
        self.flash[at:end] = b"\xff" * max(0, end - at)

    def _run(self, data, check):
        self.runs = True
        return []


class SerialPort:
    """A boot loader behind a pseudo-terminal; `path` is the port that a user names.

    Args: loader: BootLoader, or None for a chip that does not answer; program(say): is run once the loader starts the
    program in flash; say(text) writes to the serial port.
    """

    def __init__(self, loader, program=lambda say: None):
        self._loader = loader
        self._program = program
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        self.path = os.ttyname(self._theirs)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._ended.set()
        self._thread.join()
        os.close(self._theirs)
        os.close(self._ours)

    def say(self, text):
        os.write(self._ours, text.encode())

    def _serve(self):
        pending = b""
        while not self._ended.is_set():
            if not select.select([self._ours], [], [], 0.05)[0]:
                continue
            pending += os.read(self._ours, 65536)
            *bodies, pending = pending.split(END)
            for body in bodies:
                if body and self._loader:
                    self._answer(decode_frame(body))

    def _answer(self, packet):
        for reply in self._loader.receive(packet):
            os.write(self._ours, encode_frame(reply))
        if self._loader.runs:
            self._loader.runs = False
            self._program(self.say)
