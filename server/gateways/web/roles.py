"""What a user may do. Each role includes those before it. Pure."""

VIEW = "view"  # see clients, lines and the log
SEND = "send"  # also send lines to clients
ADMINISTER = "administer"  # also change keys
ROLES = (VIEW, SEND, ADMINISTER)


def covers(role, needed):
    """Returns whether who has this role may do what needs that one. role: None: nobody is known."""
    return role is not None and ROLES.index(role) >= ROLES.index(needed)
