"""The gateway for clients of the library micropython-iot, which have no key."""
