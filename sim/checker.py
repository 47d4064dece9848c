"""What was promised of the lines that an application wrote with qos: each delivered exactly once, in order, intact.

Knows nothing of how the link works: it compares what one end wrote with what the other end read.
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
    """True if the promise was kept, all that was written having been delivered."""
    return not (counts["lost"] or counts["duplicated"] or counts["reordered"] or counts["corrupted"])
