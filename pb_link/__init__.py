"""The client's side of the link. Subclass `pb_link.app_base.AppBase`."""
