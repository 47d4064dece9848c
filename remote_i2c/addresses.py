"""Which addresses of a bus may be used: a set, written as text. Nothing is allowed that was not named."""

from remote_i2c.messages import HIGHEST_ADDRESS, LOWEST_ADDRESS

# What "all" means: the addresses that are not reserved. Source: NXP UM10204 rev 7.0, table 4.
ORDINARY = frozenset(range(0x08, 0x78))
ALL = "all"


def parse_addresses(text):
    """Returns the frozenset of addresses that a text such as "0x20-0x27, 0x48" or "all" names; "" names none.

    Raises: ValueError that names the part that is wrong."""
    if text.strip() == ALL:
        return ORDINARY
    found = set()
    for part in text.split(","):
        part = part.strip()
        if part:
            first, dash, last = part.partition("-")
            low = _address(first, part)
            high = _address(last, part) if dash else low
            if high < low:
                raise ValueError(f"addresses: {part!r} runs backwards")
            found.update(range(low, high + 1))
    return frozenset(found)


def _address(text, part):
    try:
        value = int(text.strip(), 0)
    except ValueError:
        raise ValueError(f'addresses: {part!r} is none. Write "0x48", "0x20-0x27", several with commas, or "all"')
    if not LOWEST_ADDRESS <= value <= HIGHEST_ADDRESS:
        raise ValueError(f"addresses: {part!r} is not within 0x00 to 0x7f")
    return value


def addresses_text(addresses):
    """Returns the text of a set of addresses, which parse_addresses reads."""
    runs = []
    for address in sorted(addresses):
        if runs and runs[-1][1] == address - 1:
            runs[-1][1] = address
        else:
            runs.append([address, address])
    return ", ".join(f"{low:#04x}" if low == high else f"{low:#04x}-{high:#04x}" for low, high in runs)
