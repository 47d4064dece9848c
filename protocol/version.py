"""The release of pb_link: client, bridge and images of one release belong together."""

RELEASE = (0, 2, 0)


def release_text(release):
    """"0.2.0" for (0, 2, 0), or for the three bytes of it."""
    return ".".join(str(number) for number in release)
