"""Questions to a name server, and what is read out of its answers, whatever they are."""

import random

import pytest

from esp_link.names import decode_address, encode_query, is_answer
from sim.wires import dns

NUMBER = b"\x12\x34"
ALIAS = b"\4host\7example\0"


def decoded(answer, query):
    buf = bytearray(512)
    buf[: len(answer)] = answer
    assert is_answer(buf, len(answer), query)
    return decode_address(buf, len(answer), len(query))


def test_question_has_the_bytes_of_the_rfc():
    query = encode_query(NUMBER, "a.example")
    assert query == b"\x12\x34\1\0\0\1\0\0\0\0\0\0" b"\1a\7example\0" b"\0\1\0\1"
    assert dns.name_of(query) == "a.example"


@pytest.mark.parametrize("name", ["", ".", "a..b", "a.", "x" * 64, ".".join(["x" * 60] * 5)])
def test_what_is_no_name_of_a_host_is_an_error(name):
    with pytest.raises(OSError, match="no name"):
        encode_query(NUMBER, name)


def test_longest_name_fits():
    name = ".".join(["x" * 63] * 3 + ["y" * 61])
    assert len(name) == 253 and dns.name_of(encode_query(NUMBER, name)) == name


@pytest.mark.parametrize("alias", [None, ALIAS])
def test_address_is_found_also_behind_an_alias(alias):
    query = encode_query(NUMBER, "server")
    assert decoded(dns.answer(query, "192.168.4.17", alias), query) == "192.168.4.17"


def test_answers_of_other_kinds_are_passed_over():
    query = encode_query(NUMBER, "server")
    answer = bytearray(dns.answer(query, "192.168.4.17"))
    ipv6 = b"\xc0\x0c\0\x1c\0\1\0\0\0\0\0\x10" + bytes(16)
    answer[len(query) : len(query)] = ipv6
    answer[7] += 1
    assert decoded(answer, query) == "192.168.4.17"


def test_name_that_does_not_exist_is_an_error():
    query = encode_query(NUMBER, "server")
    with pytest.raises(OSError, match="knows no such host"):
        decoded(dns.answer(query, None), query)


@pytest.mark.parametrize("change", ["number", "name", "question", "short"])
def test_what_answers_another_question_is_no_answer(change):
    query = encode_query(NUMBER, "server")
    answer = bytearray(dns.answer(query, "192.168.4.17"))
    if change == "number":
        answer[0] ^= 1
    elif change == "name":
        answer[14] ^= 1
    elif change == "question":
        answer[2] &= 0x7F
    buf = bytearray(512)
    buf[: len(answer)] = answer
    assert not is_answer(buf, len(query) - 1 if change == "short" else len(answer), query)


@pytest.mark.parametrize("seed", range(5))
def test_damaged_answers_give_an_address_or_an_error_and_end(seed):
    rng = random.Random(seed)
    query = encode_query(NUMBER, "server.example")
    whole = dns.answer(query, "192.168.4.17", ALIAS)
    for _ in range(2000):
        damaged = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            damaged[rng.randrange(3, len(damaged))] = rng.choice((0, 1, 0xC0, 0xFF, rng.randrange(256)))
        n = rng.randrange(len(query), len(damaged) + 1)
        buf = bytearray(512)
        buf[:n] = damaged[:n]
        try:
            address = decode_address(buf, n, len(query))
        except OSError:
            continue
        assert all(0 <= int(part) < 256 for part in address.split(".")) and address.count(".") == 3
