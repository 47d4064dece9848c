"""What a check of `pb-link doctor` yields."""

from collections import namedtuple

from protocol.errors import LinkError
from server.gateways.setting import SettingsError

GOOD, NOTE, WRONG = "good", "note", "wrong"
# what: the thing that was looked at; text: what is so; remedy: what to do, or "".
Finding = namedtuple("Finding", "what level text remedy", defaults=("",))

FAULTS = (OSError, LinkError, SettingsError, TypeError, ValueError)


def good(what, text):
    return Finding(what, GOOD, text)


def note(what, text, remedy):
    return Finding(what, NOTE, text, remedy)


def wrong(what, text, remedy=""):
    return Finding(what, WRONG, text, remedy)
