"""Passes the reports of the ESP8266 on to the server, for its web page and its commands:

    app = App(conn_id, config, hardware)
    BridgeReports(app)
    asyncio.run(app.run())

They come every `report_s` seconds of the settings, and go on system channel 5 without qos: while there is no
connection, or no room, a report is left out. The hook `report` is called as before. docs/client.md has more.
"""

from pb_link.channels import channels_of
from protocol import const
from protocol.bridge_reports import BRIDGE_CHANNEL, encode_bridge_report
from protocol.control import RELEASE_RECORD

_SIGNAL = const(0x08)  # the record: see protocol/control.py


class BridgeReports:
    """Passes reports on from now on, as long as the client runs. Args: app: AppBase. Raises: MemoryError."""

    def __init__(self, app):
        self._link = link = app._link
        self._channel = channels_of(link).open(BRIDGE_CHANNEL)
        self._rssi_dbm = 0  # not known
        self._pass_on = link.notifier.report
        link.notifier.report = self._report
        self._take = link._take_control
        link._take_control = self._take_control

    def _take_control(self, record):
        if record[0] == _SIGNAL and len(record) == 2:
            self._rssi_dbm = record[1] - 256 if record[1] > 127 else 0
        self._take(record)

    def _report(self, data):
        """data: [connections, number, free heap in bytes]."""
        try:
            self._send(data)
        except MemoryError:  # the next one comes soon
            pass
        self._rssi_dbm = 0  # the bridge tells it in front of each report, if it knows it
        self._pass_on(data)

    def _send(self, data):
        link, channel = self._link, self._channel
        if not (link.up and channel.ready):
            return
        check = link.release_check  # only a bridge of another release is told of
        release = (check.bridge if check else tuple(RELEASE_RECORD[1:])) or (0, 0, 0)
        message = encode_bridge_report(data[0], data[1], data[2], link.fallbacks.bridge, release, self._rssi_dbm)
        if channel.room_for(len(message)):
            channel.append(message, False)
            link.flag.set()
