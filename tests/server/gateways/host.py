"""What a gateway of a test is given in the place of a whole server."""

from types import SimpleNamespace

from server.gateways.interface import Host


def make_host(**given):
    """Returns a Host that has nothing but what is given."""
    values = {
        "registry": None, "store": None, "timeout_ms": 1000, "secrets": {}, "served": set,
        "has_key": lambda client_id: False, "log": lambda event, client_id=None, **details: None,
        "subscribe": lambda subscriber: None, "take_connections": None,
    }  # fmt: skip
    return Host(**values | given)


def settings_of(description, **given):
    """Returns the settings of a section with these lines as attributes."""
    defaults = {name: setting.default for name, setting in description.settings.items()}
    assert given.keys() <= defaults.keys()
    return SimpleNamespace(**defaults | given)
