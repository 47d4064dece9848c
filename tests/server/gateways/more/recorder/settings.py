"""What the section [recorder] may say."""

from server.gateways.interface import Description
from server.gateways.setting import Secret, client_ids, path

TITLE = "the recorder"


def _contradiction(settings):
    if settings.file == settings.password_file != "":
        return "file and password_file are the same"


DESCRIPTION = Description(
    TITLE,
    {
        "file": path("", "the path of a file"),
        "clients": client_ids("a list of client ids"),
        "password_file": path("", "the path of a file with the password"),
    },
    secrets={"password": Secret("PB_LINK_RECORDER_PASSWORD", "password_file", 100)},
    reads="clients",
    contradiction=_contradiction,
    files_per_client=3,
)
