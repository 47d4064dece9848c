"""The server's keys, and that none is ever shown."""

import json

import pytest

from server.core.keys import load_keys

KEY = bytes(range(200, 232))
HEX = KEY.hex()


def test_keys_are_bytes_or_hexadecimal_text():
    assert load_keys({"a": KEY, "b": HEX, "c\n": HEX.upper()}) == {"a": KEY, "b": KEY, "c": KEY}


def test_keys_come_from_a_file(tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"a": HEX}))
    assert load_keys(str(path)) == {"a": KEY}


def test_absent_file_is_an_oserror_that_names_it(tmp_path):
    with pytest.raises(OSError, match="absent.json"):
        load_keys(str(tmp_path / "absent.json"))


@pytest.mark.parametrize("text", ["", "{", f'{{"a": "{HEX}"', f'"{HEX}"', "[]", "null", "5"])
def test_file_that_is_no_json_object_is_an_error(tmp_path, text):
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises((TypeError, ValueError)) as caught:
        load_keys(str(path))
    assert HEX not in repr(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_error_of_a_bad_file_keeps_nothing_of_it(tmp_path, encoding):
    path = tmp_path / "keys.json"
    path.write_bytes(f'{{"a": "{HEX}", "\u00e9": }}'.encode(encoding))
    with pytest.raises(ValueError, match="keys.json is not valid JSON in UTF-8 .without a byte order mark.") as caught:
        load_keys(str(path))
    assert secrets_in(caught.value) == []


def secrets_in(error):
    """What the error, those that it came from, and their attributes hold of the key file."""
    found = []
    while error is not None:
        held = [*error.args, *vars(error).values(), getattr(error, "object", "")]
        for text in (str(thing).replace("\\x00", "") for thing in held):  # utf-16 in bytes
            if HEX[:16] in text:
                found.append((error, text))
        error = error.__cause__ or error.__context__
    return found


BAD_KEYS = ["", None, 5, "short", KEY[:-1], KEY + b"x", HEX[:-1], HEX[:-2], HEX + "00", "g" * 64, "\u0660" * 64, [KEY]]


@pytest.mark.parametrize("key", BAD_KEYS, ids=range(len(BAD_KEYS)))
def test_bad_key_is_an_error_that_names_the_id_and_shows_no_key(key):
    with pytest.raises(ValueError, match="key of pump") as caught:
        load_keys({"pump": key})
    for secret in (HEX[:16], repr(KEY)[2:40]):
        assert secret not in str(caught.value)


@pytest.mark.parametrize("client_id", ["", "\n", "a\nb", "a\n\n", "a\r", "x" * 65, 5, b"a"])
def test_bad_id_is_an_error(client_id):
    with pytest.raises((TypeError, ValueError), match="id"):
        load_keys({client_id: KEY})


@pytest.mark.parametrize("keys", [None, [], 5, b"keys"])
def test_keys_of_another_type_are_an_error(keys):
    with pytest.raises(TypeError, match="keys"):
        load_keys(keys)
