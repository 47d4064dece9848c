"""Says once, at the start, if the ESP8266's firmware and this client are of different releases, and what to do."""

from protocol.control import RELEASE_RECORD

_REMEDY = "Flash the ESP8266 with the firmware of this client's release (build/flash.py), or update the client."


def decode_release(record):
    """(major, minor, patch) of a RELEASE record (`protocol/control.py`), or None if it is malformed."""
    return tuple(record[1:]) if len(record) == 4 else None


class ReleaseCheck:
    """The comparison of releases. `bridge`: that of the ESP8266, (major, minor, patch), or None if it is not known."""

    def __init__(self):
        self.bridge = None
        self._said = None

    def told(self, record):
        """The ESP8266 tells its release, once it has been configured."""
        self.bridge = release = decode_release(record)
        if record != RELEASE_RECORD:
            from protocol.version import RELEASE, release_text  # here, because few ever need it

            theirs = release_text(release) if release else "unknown"
            self._say("the ESP8266's firmware is of release %s, this client of %s" % (theirs, release_text(RELEASE)))

    def other_layout(self, version):
        """The ESP8266 uses the mailbox of another release: there can be no link."""
        self._say("the ESP8266's firmware is of another release, with another mailbox (%02x): no link" % version)

    def _say(self, text):
        if text != self._said:
            self._said = text
            print("pb_link: %s. %s" % (text, _REMEDY))
