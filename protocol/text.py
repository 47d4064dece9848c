"""Text to UTF-8 and back: in CPython and MicroPython the same texts and the same bytes, those of RFC 3629.

MicroPython checks less than CPython. It encodes a surrogate as three bytes, and decodes those, characters that are
longer than need be, and some beyond U+10FFFF. Its json.loads makes two surrogates of "\\ud83d\\ude00", which is one
character. A text of ASCII is recognised by its length, and costs no more than that.
"""

import sys

# Triples: a lead byte, and the least and the greatest byte that may follow it (RFC 3629, section 4); 1, 0: none may.
# Of other lead bytes MicroPython checks what follows.
_SECOND = b"\xc0\1\0\xc1\1\0\xe0\xa0\xbf\xed\x80\x9f\xf0\x90\xbf\xf4\x80\x8f\xf5\1\0\xf6\1\0\xf7\1\0"


def encode_text(text):
    """Return the UTF-8 bytes of a str. The two surrogates of a pair are the one character that they stand for.

    Raises: ValueError if it has half of a pair, or (MicroPython's "%.1s" can do that) half of a character.
    """
    try:
        data = text.encode()
        if len(str(data, "utf-8")) == len(data) or is_strict(data):
            return data
    except UnicodeError:  # CPython's holds the text: nothing is raised in here
        pass
    return _mended(text)


def _mended(text):  # apart: with this in it MicroPython would take memory for each call of encode_text
    data = text.encode("utf-8", "surrogatepass")
    if not is_utf8(data):
        try:
            from protocol.surrogates import joined  # here, because few ever need it
        except MemoryError:  # half loaded: MicroPython 1.25 would crash at the next import of it
            sys.modules.pop("protocol.surrogates", None)
            raise

        data = joined(data)
        if not is_utf8(data):
            raise ValueError("the text cannot be encoded as UTF-8: it has half of a surrogate pair, or of a character")
    return data


def decode_text(data):
    """Return the text as str. Raises: ValueError if the bytes are not UTF-8."""
    if not is_utf8(data):
        raise ValueError("not UTF-8")
    return str(data, "utf-8")


def is_utf8(data):
    """True if the bytes are UTF-8."""
    try:
        text = str(data, "utf-8")
    except UnicodeError:
        return False
    return len(text) == len(data) or is_strict(data)


def is_strict(data):
    """True if what `str` decodes has no surrogate, nothing longer than need be, and nothing beyond U+10FFFF."""
    for i in range(0, len(_SECOND), 3):
        lead = _SECOND[i : i + 1]
        at = data.find(lead)
        while at >= 0:
            if not _SECOND[i + 1] <= data[at + 1] <= _SECOND[i + 2]:
                return False
            at = data.find(lead, at + 1)
    return True
