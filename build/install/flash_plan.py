"""The plan for an ESP8266's flash: what is written, and where. It is made from files, before anything is changed.

The layout comes from firmware/manifest.json. Every refusal says what is wrong and what to do.
"""

import hashlib
import http.client
import json
import re
import struct
import urllib.error
import urllib.request
from collections import namedtuple

from build.tools.cache import ROOT
from build.tools.shell import BuildError, say

FIRMWARE = ROOT / "firmware"
DOWNLOADS = "https://micropython.org/download/ESP8266_GENERIC/"
DOWNLOAD_S = 60  # without a byte
READ_BYTES = 16 * 1024 * 1024  # no flash of this chip is larger; what follows is not read

ESP_IMAGE = 0xE9  # first byte of a program for the chip; esptool calls it ESP_IMAGE_MAGIC
VERSION = re.compile(rb"v(\d+)\.(\d+)\.(\d+)[\w.-]* on 20\d\d-")  # in MicroPython's banner: v1.25.0 on 2025-04-15
# MicroPython's firmware says how long it is, at the end of what the boot loader copies into RAM, and ends with the MD5
# of all but its first four bytes, which esptool changes. Source: MicroPython, ports/esp8266/makeimg.py; esp.check_fw().
LENGTH_AT = 0x9000 - 4
HEADER_BYTES = 4
MD5_BYTES = 16

Part = namedtuple("Part", "name offset data what")


class Manifest:
    """firmware/manifest.json, checked against the images beside it. Raises: BuildError."""

    def __init__(self, folder=FIRMWARE):
        try:
            self.facts = json.loads((folder / "manifest.json").read_text())
            self._images = [(facts, (folder / facts["file"]).read_bytes()) for facts in self.facts["images"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BuildError(f"{folder} is incomplete ({error}). Get it back:  git checkout -- firmware") from None
        for facts, data in self._images:
            if hashlib.sha256(data).hexdigest() != facts["sha256"]:
                raise BuildError(
                    f"firmware/{facts['file']} is not what the manifest says: damaged, or not of `make firmware`. "
                    "Get it back:  git checkout -- firmware"
                )

    @property
    def sizes(self):
        """Returns the sizes of flash that there are images for, as in the manifest: 2MiB."""
        return self.facts["flash_sizes"]

    @property
    def build(self):
        """Returns board and variant of the MicroPython that the images go with."""
        return self.facts["micropython"]["board"]

    def parts(self, size):
        """Returns our own parts in a flash of that size."""
        for facts, data in self._images:
            if size in facts["flash_sizes"]:
                what = "the bridge, a ROMFS" if facts["file"].endswith(".romfs") else "file system with main.py"
                yield Part(facts["file"], int(facts["offset"], 16), data, what)


def read_micropython(source):
    """Returns the bytes of a file, or of what an address of http names, READ_BYTES at most. Raises: BuildError."""
    if re.match(r"https?://", source):
        return _download(source)
    try:
        with open(source, "rb") as file:
            return file.read(READ_BYTES)
    except OSError as error:
        raise BuildError(f"--micropython {source}: {error.strerror}. Get the file from {DOWNLOADS}") from None


def _download(address):
    say(f"Fetching {address} ..")
    try:
        with urllib.request.urlopen(address, timeout=DOWNLOAD_S) as reply:
            data = reply.read(READ_BYTES)
            if reply.length and len(data) < READ_BYTES:  # what is still to come, if the server has said it
                raise OSError(f"the connection ended {reply.length:,} bytes before its end")
            return data
    except urllib.error.HTTPError as error:
        said = f"{error.code} {error.reason}"
        raise BuildError(f"{address}: the server says {said}. Is it the link of a file on {DOWNLOADS}?") from None
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise BuildError(
            f"{address} cannot be fetched: {reason}. Is the network up? Or fetch it with a browser, and name the file."
        ) from None


def check_micropython(data, manifest):
    """Returns the version of MicroPython in the firmware, (1, 25, 0). Raises: BuildError if it is not what we need."""
    facts = manifest.facts["micropython"]
    wanted = f"Get the file {manifest.build}-..bin, {facts['oldest']} or newer, from {DOWNLOADS}"
    if data[:1] != bytes((ESP_IMAGE,)):
        raise BuildError(f"This is no firmware of an ESP8266: it does not begin with E9 hex. {wanted}")
    if len(data) > facts["max_bytes"]:
        raise BuildError(
            f"This file has {len(data):,} bytes and would reach into the ROMFS: a copy of a whole flash? {wanted}"
        )
    found = VERSION.search(data)
    if found is None:
        raise BuildError(f"This firmware does not look like MicroPython's, or is not whole. {wanted}")
    version = tuple(map(int, found.groups()))
    shown = ".".join(map(str, version))
    if version < tuple(map(int, facts["oldest"].split("."))):
        raise BuildError(f"This is MicroPython {shown}, which has no ROMFS on the ESP8266. {wanted}")
    if manifest.build.encode() not in data:
        raise BuildError(
            f"This is MicroPython {shown}, but another variant or board: it would not look for our ROMFS. {wanted}"
        )
    if not _is_whole(data):
        raise BuildError(f"This file of {len(data):,} bytes is not whole: cut short or damaged on its way. {wanted}")
    return version


def doubt(version, manifest):
    """Returns a warning about a MicroPython newer than those that the images were compared with, or None."""
    newest = manifest.facts["micropython"]["same_bytecode"][-1]
    if version[:2] > tuple(map(int, newest.split(".")))[:2]:
        return f"That is newer than what these images are known to fit. If the bridge does not start, take {newest}."
    return None


def _is_whole(data):
    """Returns True if the firmware has the length and the MD5 that it states."""
    if len(data) < LENGTH_AT + 4:
        return False
    (length,) = struct.unpack_from("<I", data, LENGTH_AT)
    return data[length:] == hashlib.md5(data[HEADER_BYTES:length]).digest() and len(data) == length + MD5_BYTES


def plan(micropython, manifest, size):
    """Returns the parts to be written into a chip with that much flash, MicroPython first.

    Raises: BuildError if there are no images for that size.
    """
    if size not in manifest.sizes:
        raise BuildError(
            f"The chip has {size or 'an unknown amount'} of flash, and there are images for "
            f"{', '.join(manifest.sizes)}. A module with 4 MiB, as on the WeMos D1 mini or the Feather, will do."
        )
    offset = int(manifest.facts["micropython"]["offset"], 16)
    return [Part("MicroPython", offset, micropython, manifest.build), *manifest.parts(size)]


def show(parts):
    """Returns lines of text with each part and its place."""
    return [f"  {part.offset:#08x}  {len(part.data):9,} bytes  {part.name}: {part.what}" for part in parts]
