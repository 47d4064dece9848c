"""The doors to the buses, each with the setting that opens it. A door is imported only then."""

import importlib
from collections import namedtuple

from remote_i2c.tls import read_tls
from server.gateways.setting import SettingsError

# setting: name of the one with the address where it listens; extra: of pyproject.toml, which its module needs; make:
# function (module, settings, secrets, buses, log) that returns an object with `run`, which serves until cancelled,
# and `metrics`. secrets: as in Host; buses: {name: SharedBus}; log: function (event, **details). It raises ValueError,
# OSError.
Door = namedtuple("Door", "setting extra module make")


def _smbus(door, settings, secrets, buses, log):
    tls = read_tls(settings.smbus_certificate, settings.smbus_key) if settings.smbus_certificate else None
    return door.SmbusDoor(
        buses, settings.smbus_listen, token=secrets["smbus_token"](), tls=tls, expiry_s=settings.smbus_expiry_s,
        log=log,
    )  # fmt: skip


def _web(door, settings, secrets, buses, log):
    tls = (settings.web_certificate, settings.web_key) if settings.web_certificate else None
    return door.WebDoor(
        buses, settings.web_listen, token=secrets["web_token"](), origins=settings.web_origins,
        hosts=settings.web_hosts, tls=tls, plain=settings.web_plain, chirimen=settings.web_chirimen or None,
        chirimen_bus=settings.web_chirimen_bus or None, log=log,
    )  # fmt: skip


DOORS = (
    Door("smbus_listen", "grpc", "remote_i2c.rpc.door", _smbus),
    Door("web_listen", "web", "remote_i2c.web.door", _web),
)


def doors(settings, secrets, buses, log):
    """Returns the doors that are to be open. Raises: SettingsError, OSError."""
    made = []
    for door in DOORS:
        if not getattr(settings, door.setting):
            continue
        try:
            made.append(door.make(importlib.import_module(door.module), settings, secrets, buses, log))
        except ImportError as error:
            raise SettingsError(
                f"[i2c] {door.setting} needs the extra {door.extra} of pb-link ({error}): "
                f"pip install '.[{door.extra}]' in the checkout"
            )
        except ValueError as error:
            raise SettingsError(f"[i2c] {door.setting}: {error}")
    return made

