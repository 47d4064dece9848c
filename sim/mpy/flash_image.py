"""The flash of a simulated ESP8266, as a file: the images of firmware/ at their offsets.

MicroPython's own area stays erased, because the interpreter stands for it.
"""

import json

from sim.root import ROOT

FIRMWARE = ROOT / "firmware"
MIB = 1024 * 1024
SIZES = {"2MiB": 2 * MIB, "4MiB": 4 * MIB}


def write(path, size="4MiB", images=FIRMWARE):
    """Makes the file, in the state that build/flash.py leaves an erased chip of that size in. Returns the path.
    Args: images: the folder of the images and their manifest."""
    content = bytearray(b"\xff" * SIZES[size])
    for image in json.loads((images / "manifest.json").read_text())["images"]:
        if size in image["flash_sizes"]:
            data = (images / image["file"]).read_bytes()
            at = int(image["offset"], 16)
            content[at : at + len(data)] = data
    path.write_bytes(content)
    return path
