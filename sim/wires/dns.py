"""A name server's answers: RFC 1035, questions for one IPv4 address. Pure."""

_HEADER = 12
_RESPONSE, _RECURSION = 0x80, 0x80
NO_SUCH_NAME = 3
_TTL_S = 60


def name_of(query):
    """Returns the name that a query asks for, or None if it is no query for an IPv4 address."""
    labels = []
    at = _HEADER
    if len(query) < _HEADER or query[4:6] != b"\0\1":
        return None
    while at < len(query) and query[at]:
        labels.append(bytes(query[at + 1 : at + 1 + query[at]]))
        at += 1 + query[at]
    if bytes(query[at + 1 :]) != b"\0\1\0\1":
        return None
    try:
        return b".".join(labels).decode("ascii")
    except UnicodeDecodeError:
        return None


def answer(query, address, alias=None):
    """Returns the response to a query. Args: address: "1.2.3.4", or None: there is no such name; alias: bytes of
    labels: the name is an alias; the response has the alias's address."""
    code = 0 if address else NO_SUCH_NAME
    records = []
    if address:
        owner = b"\xc0\x0c"  # the name in the question
        if alias:
            records.append(_record(owner, 5, alias))
            owner = alias
        records.append(_record(owner, 1, bytes(int(part) for part in address.split("."))))
    counts = bytes((0, 1, 0, len(records), 0, 0, 0, 0))
    head = bytes(query[:2]) + bytes((_RESPONSE | query[2] & 1, _RECURSION | code)) + counts
    return head + bytes(query[_HEADER:]) + b"".join(records)


def _record(owner, kind, data):
    return owner + bytes((0, kind, 0, 1)) + _TTL_S.to_bytes(4, "big") + len(data).to_bytes(2, "big") + data
