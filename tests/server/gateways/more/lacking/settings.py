"""What the section [lacking] may say: nothing."""

from server.gateways.interface import Description

DESCRIPTION = Description("the gateway that lacks something", {}, extra="more")
