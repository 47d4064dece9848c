"""What JSON is taken and what is refused: the same vectors in CPython and MicroPython."""

import json
import sys
import unittest

from protocol.strict_json import MAX_DEPTH, MAX_NUMBER, BadJSON, decode_json, encode_json
from tests.protocol.noise import Noise

CPYTHON = sys.implementation.name == "cpython"  # whose json takes all that is JSON, and more
DEEP = b"[" * MAX_DEPTH + b"1" + b"]" * MAX_DEPTH
LONG = b"9" * MAX_NUMBER

TAKEN = (
    (b"null", None), (b" true\r\n", True), (b"\tfalse", False),
    (b"0", 0), (b"-0", 0), (b"-12", -12), (LONG, int(LONG)), (b"123456789012345678901", 123456789012345678901),
    (b"0.5", 0.5), (b"-1.25e2", -125.0), (b"1E+2", 100.0), (b"5e-1", 0.5), (b"0e0", 0.0),
    (b'""', ""), (b'"a/b"', "a/b"), (b'"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\/\b\f\n\r\t'), (b'"\x7f"', "\x7f"),
    (b'"\\u0041\\u00e4\\u20AC\\u0000"', "A\u00e4\u20ac\0"), (b'"\\ud83d\\ude00"', "\U0001f600"),
    ("\"\u00e4\u20ac\U0001f600\"".encode(), "\u00e4\u20ac\U0001f600"), (b'"x\\\\"', "x\\"), (b'"\\"\\"x"', '""x'),
    (b"[]", []), (b"[ ]", []), (b"{}", {}), (b"{ }", {}), (b"[1,2]", [1, 2]), (b" [ 1 , [ ] ] ", [1, []]),
    (b'{"a":1}', {"a": 1}), (b' { "a" : [ { "" : null } ] , "b" : "c" } ', {"a": [{"": None}], "b": "c"}),
    (b'[[],{},"",0]', [[], {}, "", 0]), (DEEP, eval(DEEP)),
)  # fmt: skip
REFUSED = (
    b"", b" ", b"\0", b"nul", b"nulll", b"True", b"NaN", b"Infinity", b"-Infinity", b"undefined", b"\xef\xbb\xbf1",
    b"01", b"-01", b"00", b"1.", b".5", b"+1", b"-", b"--1", b"1e", b"1e+", b"1.e1", b"0x10", b"1_0", b"1 2",
    b"- 1",
    b"1e999", b"-1e999", LONG + b"9", b"1." + LONG, b"1e" + LONG, b"\xd9\xa1", b"1f", b"12abc", b"\x0b1", b"\xa01",
    b'"', b'"a', b'"\\', b'"\\"', b'"\n"', b'"\0"', b'"\x1f"', b'"\\x41"', b'"\\u12"', b'"\\u12',
    b'"\\u+123"', b'"\\a"',
    b'"\\u 123"', b'"\\u1_23"', b'"\\U0041"', b'"\\ud800"', b'"\\udc00"', b'"\\ud800\\ud800"', b'"\\ud83dx"',
    b"'a'",
    b'"\\ud83d\\', b'"\\ud83d\\u', b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\x80"', b'"\xf4\x90\x80\x80"',
    b'"a" "b"', b'""x',
    b"[", b"]", b"[1", b"[1,", b"[1,]", b"[,]", b"[,1]", b"[1,,2]", b"[1 2]", b"[1}", b"[:1]", b":1", b",1",
    b"1,", b"[]]",
    b"{", b"}", b"{]", b"{,}", b'{"a"', b'{"a":', b'{"a":}', b'{"a" 1}', b'{"a":1', b'{"a":1,}',
    b'{"a":1 "b":2}', b"{1:2}",
    b"{a:1}", b"{'a':1}", b"{null:1}", b'{"a":1,"a":1}', b'{"a":1]', b'{"a"::1}', b'{"a",1}',
    b'{"\\u0061":1,"a":2}',
    b'{"a":1} x', b'{"a":1}{}', b"/* */1", b"1//", b"# 1", b"[" + DEEP + b"]", b'{"a":' + DEEP + b"}", b"[" * 3000,
    b"1\0", b"[1]\0", b'"a"\0',
)  # fmt: skip
WRITTEN = (
    (None, b"null"), (True, b"true"), (False, b"false"), (0, b"0"), (-12, b"-12"), (int(LONG), LONG), (0.5, b"0.5"),
    (-2.0, b"-2.0"), ("", b'""'), ('a"\\/\n\r\t', b'"a\\"\\\\/\\n\\r\\t"'), ("\u00e4\u20ac", '"\u00e4\u20ac"'.encode()),
    ("\U0001f600", "\"\U0001f600\"".encode()), ([], b"[]"), ({}, b"{}"), ((), b"[]"), ([1, [2, (3,)]], b"[1,[2,[3]]]"),
    ({"a": [None, {"b": 1.5}]}, b'{"a":[null,{"b":1.5}]}'), (eval(DEEP), DEEP), ("\x7f", b'"\x7f"'),
)  # fmt: skip


class Text(str):
    pass


class Number(int):
    pass


class TestStrictJSON(unittest.TestCase):
    def test_json_is_taken(self):
        for data, wanted in TAKEN:
            found = decode_json(data)
            self.assertEqual((found, type(found)), (wanted, type(wanted)), data)

    def test_anything_else_is_refused_and_it_is_said_where(self):
        for data in REFUSED:
            try:
                self.fail("%r was taken as %r" % (data, decode_json(data)))
            except BadJSON as error:
                self.assertTrue(str(error).startswith("bad JSON"), data)
        for data, text in (
            (b'{"a":[1,2 3]}', "bad JSON at byte 10: a comma or the closing bracket is missing"),
            (b"[NaN]", "bad JSON at byte 1: a value is missing"),
            (b'"a\\x41"', "bad JSON at byte 2: an unknown escape"),
            (b'{"a":1} x', "bad JSON at byte 8: the end is missing"),
            (b"\xff", "bad JSON: it is not UTF-8"),
        ):
            try:
                decode_json(data)
                self.fail("%r was taken" % data)
            except BadJSON as error:
                self.assertEqual(str(error), text)

    def test_objects_are_written_without_blanks_and_read_again(self):
        for found, wanted in WRITTEN:
            self.assertEqual(encode_json(found), wanted)
            again = decode_json(wanted)
            if type(found) is not tuple and "(" not in repr(found):
                self.assertEqual(again, found)
        for code in range(0x20):
            text = chr(code) + "x"
            self.assertEqual(decode_json(encode_json(text)), text)
        for number in (0.1, 1e16, 1.5e300, -2.5e-7, 1.0, 123456789.125):
            self.assertEqual(decode_json(encode_json(number)), number)
        several = {"one": 1, "two": [2, None], "three": {"": ""}}
        self.assertEqual(decode_json(encode_json(several)), several)

    def test_what_json_does_not_have_is_not_written(self):
        ring = []
        ring.append(ring)
        for found, kind in (
            (b"a", TypeError), ({1}, TypeError), (object(), TypeError), (1j, TypeError), ({1: 2}, TypeError),
            ({None: 1}, TypeError), ({True: 1}, TypeError), ({(1,): 2}, TypeError), ([{"a": [b""]}], TypeError),
            (Text("a"), TypeError), (Number(1), TypeError), (int, TypeError), (range(2), TypeError),
            (float("nan"), ValueError), (float("inf"), ValueError), ([-float("inf")], ValueError),
            (int(LONG + b"9"), ValueError), ([eval(DEEP)], ValueError), (ring, ValueError), ("\ud800", ValueError),
            ({"\udc00": 1}, ValueError),
        ):  # fmt: skip
            self.assertRaises(kind, encode_json, found)

    def test_interpreters_agree_on_damaged_json(self):
        """Both find the same ones among these to be JSON: the sum is a constant."""
        noise = Noise(16)
        sound = b'{"a":[1,-2.5e3,true,null,"\\u00e4\\ud83d\\ude00\\n",{"b":""}],"c":[[],{}],"d":"x y"}'
        letters = b'{}[]",:\\/0123456789eE+-.truefalsn \nu\xc3\xa4'
        taken = checksum = 0
        for i in range(4000):
            data = bytearray(sound)
            for _ in range(1 + noise.number(3)):
                at = noise.number(len(data))
                how = noise.number(3)
                if how == 0:
                    data[at] = letters[noise.number(len(letters))]
                elif how == 1:
                    data = data[:at] + data[at + 1 :]
                else:
                    data = data[:at] + bytes((letters[noise.number(len(letters))],)) + data[at:]
            try:
                found = decode_json(bytes(data))
            except BadJSON as error:
                checksum = (checksum * 31 + sum(str(error).encode())) & 0xFFFFFF
                continue
            taken += 1
            if CPYTHON:
                self.assertEqual(found, json.loads(data))
            self.assertEqual(decode_json(encode_json(found)), found)
            checksum = (checksum * 31 + i) & 0xFFFFFF
        self.assertEqual((taken, checksum), (359, 1967331))


if __name__ == "__main__":
    unittest.main()
