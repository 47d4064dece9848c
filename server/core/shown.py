"""Text for a person: what a peer or a user has named, shown so that it commands neither a terminal nor a shell."""

_C0_END, _DEL, _C1_END = 32, 127, 160
# Marks of Unicode that turn the direction of the text, separate lines or are invisible: MicroPython has no isprintable.
_MARKS = ((0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF))
_PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_")


def harmless(text, keep=""):
    """Returns the text with its control characters and invisible ones as escapes, except for those in `keep`."""
    return "".join(one if one in keep or _is_visible(one) else _escape(one) for one in text)


def quoted(text):
    """Returns a text as one word of a shell's command line that is printed: as it is if that will do.

    Control characters become escapes of $'..', which bash, zsh and ksh know.
    """
    if text and all(one in _PLAIN for one in text):
        return text
    if all(_is_visible(one) for one in text):
        return "'" + text.replace("'", "'\"'\"'") + "'"
    return "$'" + harmless(text.replace("\\", "\\\\").replace("'", "\\'")) + "'"


def _is_visible(one):
    if hasattr(one, "isprintable"):
        return one.isprintable()
    code = ord(one)
    if code < _C0_END or _DEL <= code < _C1_END:
        return False
    return not any(first <= code <= last for first, last in _MARKS)


def _escape(one):
    code = ord(one)
    return ("\\x%02x" if code < 0x80 else "\\u%04x" if code < 0x10000 else "\\U%08x") % code
