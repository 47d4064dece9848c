"""The exceptions of the link that boards have: the others are in `errors.py`, for the server."""


class LinkError(Exception):
    pass


class LinkDown(LinkError):
    pass


class Expired(LinkError):
    """A message was not accepted within its time limit."""
