"""JSON as RFC 8259 has it, and nothing else: CPython and MicroPython take and refuse the same, with the same results.

json.loads of neither does. MicroPython's takes `[1 2]`, `{1: 2}`, `01`, `"\\x41"`, a `[` that is never closed, and
reads `"\\ud83d\\ude00"` as two characters; CPython's takes NaN, Infinity and 1e999; both take a key that comes twice.
So the parser is written out here. On a board only who sends or receives JSON has this module in memory.
"""

import json
import sys

from protocol import const
from protocol.text import encode_text, is_utf8

MAX_DEPTH = const(8)  # lists and dicts in one another: the stack of a board is short
MAX_NUMBER = const(40)  # characters of a number

_ESCAPES = b'"\\/bfnrt'
_ESCAPED = b'"\\/\b\f\n\r\t'
_HEX = b"0123456789abcdefABCDEF"
_LIST = const(91)
_DICT = const(123)
_QUOTE = const(34)
_COMMA = const(44)
_COLON = const(58)

if sys.implementation.name == "micropython":

    def _dumps(found):
        return json.dumps(found, separators=(",", ":"))

else:

    def _dumps(found):
        return json.dumps(found, separators=(",", ":"), ensure_ascii=False)


class BadJSON(ValueError):
    """The bytes are no JSON, or more than this takes. The text says what is wrong, and at which byte."""


def encode_json(found):
    """Returns the bytes, UTF-8 without blanks, of None, a bool, int, float or str, or a list, tuple or dict of such.

    Raises: TypeError for anything else, also in it, and for a key that is no str; ValueError for nan, inf, a number
    of more than MAX_NUMBER characters, more than MAX_DEPTH lists and dicts in one another, text that is no UTF-8.
    """
    _check(found, 0)
    return encode_text(_dumps(found))


def _check(found, depth):
    kind = type(found)  # not a class made from one of these: interpreters print those differently
    if kind in (list, tuple, dict):
        if depth == MAX_DEPTH:
            raise ValueError("JSON has more than %d lists and dicts in one another" % MAX_DEPTH)
        if kind is dict:
            for key in found:
                if type(key) is not str:
                    raise TypeError("a key of JSON must be a str, not " + type(key).__name__)
            found = found.values()
        for one in found:
            _check(one, depth + 1)
    elif kind is float:
        if found - found != 0:
            raise ValueError("JSON has no %r" % found)
    elif kind is int:
        if len(str(found)) > MAX_NUMBER:
            raise ValueError("an int of more than %d characters is too long for JSON" % MAX_NUMBER)
    elif kind is not str and kind is not bool and found is not None:
        raise TypeError("JSON has no %s: convert it first" % kind.__name__)


def decode_json(data):
    """Returns what these bytes stand for: None, a bool, int, float, str, list or dict.

    Raises: BadJSON if they are not exactly one JSON text, in UTF-8 without a byte order mark, or have a key twice in
    one dict, more than MAX_DEPTH lists and dicts in one another, a number of more than MAX_NUMBER characters or one
    that float cannot hold, or half of a surrogate pair.
    """
    if not is_utf8(data):
        raise BadJSON("bad JSON: it is not UTF-8")
    reader = _Reader(data)
    found = reader.value(0)
    reader.pass_blanks()
    if reader.at < len(data):
        reader.fault("the end is missing")
    return found


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def fault(self, what):
        raise BadJSON("bad JSON at byte %d: %s" % (self.at, what))

    def pass_blanks(self):
        """Returns the byte that comes then, 0 at the end."""
        data, at = self.data, self.at
        while at < len(data) and data[at] in b" \t\n\r":
            at += 1
        self.at = at
        return data[at] if at < len(data) else 0

    def value(self, depth):
        """Returns the value that begins here, behind blanks. One call for each list and dict: the stack is short."""
        first = self.pass_blanks()
        if first != _LIST and first != _DICT:
            return self._plain(first)
        if depth == MAX_DEPTH:
            self.fault("more than %d lists and dicts in one another" % MAX_DEPTH)
        self.at += 1
        found = [] if first == _LIST else {}
        last = first + 2  # the bracket that closes it
        byte = self.pass_blanks()
        while byte != last:
            if found and byte != _COMMA:
                self.fault("a comma or the closing bracket is missing")
            if found:
                self.at += 1
            if first == _LIST:
                found.append(self.value(depth + 1))
            else:
                key = self._key(found)
                found[key] = self.value(depth + 1)
            byte = self.pass_blanks()
        self.at += 1
        return found

    def _key(self, found):
        """Returns a key with its colon."""
        if self.pass_blanks() != _QUOTE:
            self.fault("a key in double quotes is missing")
        key = self._text()
        if key in found:
            self.fault("a key comes twice")
        if self.pass_blanks() != _COLON:
            self.fault("a colon is missing")
        self.at += 1
        return key

    def _plain(self, first):
        if first == _QUOTE:
            return self._text()
        if first in b"-0123456789":
            return self._number()
        for word, value in ((b"true", True), (b"false", False), (b"null", None)):
            if self.data[self.at : self.at + len(word)] == word:
                self.at += len(word)
                return value
        return self.fault("a value is missing")

    def _number(self):
        data, start = self.data, self.at
        is_float = False
        if data[start : start + 1] == b"-":
            self.at += 1
        whole = self._digits()
        if data[whole : whole + 1] == b"0" and self.at > whole + 1:
            self.fault("a number begins with 0")
        if data[self.at : self.at + 1] == b".":
            is_float = True
            self.at += 1
            self._digits()
        if data[self.at : self.at + 1] in (b"e", b"E"):
            is_float = True
            self.at += 1
            if data[self.at : self.at + 1] in (b"+", b"-"):
                self.at += 1
            self._digits()
        if self.at - start > MAX_NUMBER:
            self.fault("a number of more than %d characters" % MAX_NUMBER)
        text = str(data[start : self.at], "utf-8")
        if not is_float:
            return int(text)
        found = float(text)
        if found - found != 0:
            self.fault("a number that is too great")
        return found

    def _digits(self):
        """Pass over digits. Returns where they begin."""
        data, start = self.data, self.at
        while data[self.at : self.at + 1].isdigit():
            self.at += 1
        if self.at == start:
            self.fault("a digit is missing")
        return start

    def _text(self):
        """Returns the str whose opening quote is here."""
        data, at = self.data, self.at + 1
        parts = None  # what there was up to the last escape
        end = data.find(b'"', at)
        while True:
            if end < 0:
                self.fault("a text has no end")
            slash = data.find(b"\\", at, end)
            part = data[at : end if slash < 0 else slash]
            if part and min(part) < 32:
                self.fault("a text has a control character")
            if slash < 0:
                break
            if parts is None:
                parts = bytearray()
            parts.extend(part)
            self.at = slash
            parts.extend(self._escaped())
            at = self.at
            if end < at:
                end = data.find(b'"', at)
        self.at = end + 1
        if parts is not None:
            parts.extend(part)
            part = bytes(parts)
        return str(part, "utf-8")

    def _escaped(self):
        """Returns the bytes that the escape here stands for."""
        letter = self.data[self.at + 1 : self.at + 2]
        if letter == b"u":
            code = self._unit()
            if 0xD800 <= code < 0xDC00 and self.data[self.at : self.at + 2] == b"\\u":
                second = self._unit()
                if 0xDC00 <= second < 0xE000:
                    code = 0x10000 + ((code & 0x3FF) << 10) + (second & 0x3FF)
            if 0xD800 <= code < 0xE000:
                self.fault("half of a surrogate pair")
            return chr(code).encode()
        place = _ESCAPES.find(letter) if letter else -1
        if place < 0:
            self.fault("an unknown escape")
        self.at += 2
        return _ESCAPED[place : place + 1]

    def _unit(self):
        """Returns the number in an escape with u."""
        digits = self.data[self.at + 2 : self.at + 6]
        if len(digits) < 4 or not all([digit in _HEX for digit in digits]):
            self.fault("four hexadecimal digits are missing")
        self.at += 6
        return int(str(digits, "utf-8"), 16)
