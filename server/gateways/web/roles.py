"""What a user may do. Each role includes those before it. Pure."""

VIEW = "view"  # see clients, lines, sensors, what is printed, and the log
SEND = "send"  # also send lines to clients and bytes to their devices (cmdraw), scan and use the I2C buses
ADMINISTER = "administer"  # also change keys, configure sensor buses, type at the REPL
ROLES = (VIEW, SEND, ADMINISTER)


def covers(role, needed):
    """Returns whether who has this role may do what needs that one. role: None: nobody is known."""
    return role is not None and ROLES.index(role) >= ROLES.index(needed)
