"""The client's side of the link. Subclass `pb_link.app_base.AppBase`."""

__version__ = "0.2.0"
