"""The doors to the buses, each with the setting that opens it. A door is imported only then."""

from collections import namedtuple

from server.gateways.setting import SettingsError

# setting: name of the one with the address where it listens; extra: of pyproject.toml, which it needs; make: function
# (settings, secrets, buses, log) that returns an object with `run`, which serves until it is cancelled. secrets: as in
# Host; buses: {name: SharedBus}; log: function (event, **details). It raises ImportError, ValueError, OSError.
Door = namedtuple("Door", "setting extra make")


def _smbus(settings, secrets, buses, log):
    from remote_i2c.rpc.door import TLS, SmbusDoor

    tls = None
    if settings.smbus_certificate:
        tls = TLS(_bytes(settings.smbus_certificate), _bytes(settings.smbus_key))
    return SmbusDoor(
        buses, settings.smbus_listen, token=secrets["smbus_token"](), tls=tls, expiry_s=settings.smbus_expiry_s,
        log=lambda line: log("smbus", text=line),
    )  # fmt: skip


def _web(settings, secrets, buses, log):
    from remote_i2c.web.door import WebDoor

    tls = (settings.web_certificate, settings.web_key) if settings.web_certificate else None
    return WebDoor(
        buses, settings.web_listen, token=secrets["web_token"](), origins=settings.web_origins,
        hosts=settings.web_hosts, tls=tls, chirimen=settings.web_chirimen or None,
        chirimen_bus=settings.web_chirimen_bus or None, log=log,
    )  # fmt: skip


DOORS = (Door("smbus_listen", "grpc", _smbus), Door("web_listen", "web", _web))


def doors(settings, secrets, buses, log):
    """Returns the doors that are to be open. Raises: SettingsError, OSError."""
    made = []
    for door in DOORS:
        if not getattr(settings, door.setting):
            continue
        try:
            made.append(door.make(settings, secrets, buses, log))
        except ImportError as error:
            raise SettingsError(
                f"[i2c] {door.setting} needs the extra {door.extra} of pb-link ({error}): "
                f"pip install '.[{door.extra}]' in the checkout"
            )
        except ValueError as error:
            raise SettingsError(f"[i2c] {door.setting}: {error}")
    return made


def _bytes(path):
    with open(path, "rb") as file:
        return file.read()
