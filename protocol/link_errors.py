"""The exceptions of the link that boards have: the others are in `errors.py`, for the server."""


class LinkError(Exception):
    pass


class LinkDown(LinkError):
    pass
