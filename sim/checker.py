"""Checks the promise for lines written with qos: each is delivered exactly once, in order, intact.

It knows nothing of how the link works: it compares what one end wrote with what the other end read.
"""

FIELDS = ("sent", "delivered", "lost", "duplicated", "reordered", "corrupted")


def compare(written, read):
    """Compares distinct lines written with lines read, each a list in the order of its application.

    Returns a dict of FIELDS. `corrupted` lines were never written, `duplicated` ones were read before, `reordered`
    ones were read after a line that was written later.
    """
    place = {line: index for index, line in enumerate(written)}
    if len(place) != len(written):
        raise ValueError("the lines written must be distinct, or duplicates could not be told")
    seen = set()
    last = -1
    counts = dict.fromkeys(FIELDS, 0)
    for line in read:
        index = place.get(line)
        if index is None:
            counts["corrupted"] += 1
        elif index in seen:
            counts["duplicated"] += 1
        else:
            seen.add(index)
            counts["reordered"] += index < last
            last = max(last, index)
    counts["sent"] = len(written)
    counts["delivered"] = len(seen)
    counts["lost"] = len(written) - len(seen)
    return counts


def kept(counts):
    """Returns True if the promise was kept and all written lines were delivered."""
    return not (counts["lost"] or counts["duplicated"] or counts["reordered"] or counts["corrupted"])
