"""What clients pass on of their bridges' reports, on channel 5, as events. Nothing of it is stored."""

from protocol.bridge_reports import decode_bridge_report


def telling(events):
    """Returns the function (client id, bytes) that tells `events` of a report: see docs/operations.md."""

    def take(client_id, data):
        report = decode_bridge_report(data)
        if report is None:
            return  # of a client that is newer than this server, or broken
        connections, number, free, fallbacks, release, rssi_dbm = report
        events.tell(
            "bridge_report", client_id, connections=connections, number=number, free_bytes=free, fallbacks=fallbacks,
            release="%d.%d.%d" % release if any(release) else None, rssi_dbm=rssi_dbm or None,
        )  # fmt: skip

    return take
