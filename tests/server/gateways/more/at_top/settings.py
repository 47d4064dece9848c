"""What the file may say at its top level."""

from server.gateways.interface import Description
from server.gateways.setting import client_ids, integer

DESCRIPTION = Description(
    "the gateway at the top",
    {"own_number": integer(1, 1, 9), "own_clients": client_ids("a list of client ids")},
    at_top=True,
    reads="own_clients",
    contradiction=lambda settings: None if settings.own_clients else "own_number is of use with own_clients only",
)
