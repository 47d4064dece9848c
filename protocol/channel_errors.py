"""The error of a channel, apart from `link_errors.py`: a board that uses no channel does not hold it."""

from protocol.link_errors import LinkError


class Expired(LinkError):
    """A message was not accepted within its time limit."""
