"""The setting that names the clients without a key. It is at the top level of the settings file."""

from server.gateways.interface import Description
from server.gateways.setting import client_ids

DESCRIPTION = Description(
    "the adapter for micropython-iot",
    {"allow_legacy": client_ids("a list of the ids that are served without a key")},
    at_top=True,
    keyless="allow_legacy",
)
