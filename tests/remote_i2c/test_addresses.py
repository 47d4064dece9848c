"""Sets of addresses, as text."""

import pytest

from remote_i2c.addresses import ORDINARY, addresses_text, parse_addresses


@pytest.mark.parametrize(
    ("text", "addresses"),
    [("", set()), ("0x48", {0x48}), (" 0x20-0x22 ,72", {0x20, 0x21, 0x22, 72}), ("all", ORDINARY), ("0,", {0})],
)
def test_text_names_addresses(text, addresses):
    assert parse_addresses(text) == addresses


def test_all_leaves_out_the_reserved_ones():
    assert min(ORDINARY) == 0x08 and max(ORDINARY) == 0x77


@pytest.mark.parametrize("text", ["0x80", "-1", "0x30-0x20", "seven", "0x20-", "0x20-0x30-0x40", "48 49"])
def test_what_is_no_address_is_named(text):
    with pytest.raises(ValueError, match="addresses: "):
        parse_addresses(text)


def test_text_of_a_set_names_the_same_set():
    text = addresses_text({0x20, 0x21, 0x48})
    assert text == "0x20-0x21, 0x48"
    assert parse_addresses(text) == {0x20, 0x21, 0x48}
