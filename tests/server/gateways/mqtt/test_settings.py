"""The section [mqtt]: its settings, the password, certificates."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from server.gateways.interface import gateway_class
from server.gateways.mqtt.settings import DESCRIPTION, MAX_PASSWORD, read_password, served_sensors
from server.gateways.setting import SettingsError
from server.service import settings
from server.service.secret_settings import Secrets

ROOT = Path(__file__).resolve().parents[4]


BAD_TOPICS = ("", "a/", "/a", "$SYS", "a/+", "#", "a\\u0000", "a" * 65)


@pytest.fixture
def mqtt_broker(missing_tool):
    """The module, which needs the extra."""
    try:
        from server.gateways.mqtt import broker as mqtt_broker
    except ImportError as error:
        missing_tool(f"{error}: pip install '.[mqtt]'")
    return mqtt_broker


def read(text):
    Path("x.toml").write_text(text)
    return settings.read("x.toml").gateways.get("mqtt")


def password_of(found, **variables):
    return read_password(found, Secrets(variables).of_gateway("mqtt", found))


def test_no_section_is_no_gateway():
    assert settings.read().gateways == {} and read("port = 1") is None
    assert read("[mqtt]").host == "localhost"


def test_paths_are_relative_to_the_file():
    os.mkdir("folder")
    Path("folder/x.toml").write_text('[mqtt]\npassword_file = "secret"\ntls = true\nca_file = "/ca.pem"')
    found = settings.read("folder/x.toml").gateways["mqtt"]
    assert found.password_file == os.path.abspath("folder/secret") and found.ca_file == "/ca.pem" and not found.key_file


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("port = 1\n\n[mqtt]\nport = 0", "line 4: port = 0 must be a port"),
        ('host = "x"\n[mqtt]\nhost = ""', "line 3: host = '' must be the broker's name"),
        ("[mqtt]\n# host\nprot = 1", "line 3: there is no setting 'prot'; there are host, port"),
        ("mqtt = 1", r"line 1: mqtt must be a section, \[mqtt\]"),
        ("mqtt.port = 0", "line 1: port = 0 must be"),
        ("mqtt = {port = 0}", "line 1: port = 0 must be"),
        ("[mqtt]\ntls = 1", "line 2: tls = 1 must be true or false"),
        ("[mqtt]\nkeepalive_s = true", "line 2: keepalive_s = True must be 5 to 3600"),
        ("[mqtt]\nin_flight = 20", "line 2: there is no setting 'in_flight'"),
        ("[mqtt]\nclients = [1]", "line 2: clients = .* must be a list of client ids"),
        ('[mqtt]\nca_file = "x"', "line 1: certificates are of use with tls = true only"),
        ('[mqtt]\ntls = true\ncert_file = "x"', "cert_file and key_file belong together"),
        ('[mqtt]\nask_channels = "15"', "line 2: ask_channels = '15' must be channels from 16 to 127"),
        ('[mqtt]\nask_channels = "20-30"\nanswer_channels = "30"', "both name 30: one end asks, the other answers"),
        ('[mqtt]\nsensors = "a,,b"', "line 2: sensors = 'a,,b' must be ids of clients"),
        ('[mqtt]\nclients = ["a", "c"]\nsensors = "a, b"', "sensors names b, and clients does not"),
        ("[mqtt]\nsensors_interval_s = -1", "line 2: sensors_interval_s = -1 must be 0 to 86400"),
        ("[mqtt]\nrequest_s = 0", "line 2: request_s = 0 must be 1 to 86400"),
        ('[mqtt]\npassword = "horse"', "line 2: no password belongs here: use password_file"),
        *((f'[mqtt]\nprefix = "{bad}"', "line 2: prefix = .* must be a topic") for bad in BAD_TOPICS),
        ('[mqtt]\ndiscovery = "a#"', "line 2: discovery = .* must be a topic"),
        ("[mqttt]\nx = 1", r"line 1: there is no setting 'mqttt'; .* and the sections \[i2c\], \[mqtt\]"),
    ],
)  # fmt: skip
def test_error_names_the_line_and_the_remedy(text, error):
    with pytest.raises(SettingsError, match=rf"^x.toml.*{error}") as raised:
        read(text)
    assert "horse" not in str(raised.value)


@pytest.mark.parametrize(
    ("words", "ids"),
    [("", set()), ("all", None), ("mast", {"mast"}), ("mast, p u", {"mast", "p u"})],
)
def test_clients_whose_sensors_are_served(words, ids):
    assert served_sensors(read(f'[mqtt]\nsensors = "{words}"').sensors) == ids


def test_every_setting_is_documented():
    text = (ROOT / "docs" / "mqtt.md").read_text()
    documented = re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", text, re.MULTILINE)
    assert documented == [(name, json.dumps(setting.default)) for name, setting in DESCRIPTION.settings.items()]


def secret(text, mode=0o600):
    Path("secret").write_bytes(text)
    os.chmod("secret", mode)
    return read('[mqtt]\nusername = "me"\npassword_file = "secret"')


def test_password_comes_from_a_file_or_the_environment():
    assert password_of(read("[mqtt]")) is None
    found = secret(b" pass word\n")
    assert password_of(found) == " pass word"
    variables = {"PB_LINK_MQTT_PASSWORD": "other"}
    secrets = Secrets(variables)
    assert not variables and "other" not in repr(secrets)  # no program of the application inherits it
    me = read('[mqtt]\nusername = "me"')
    assert read_password(me, secrets.of_gateway("mqtt", me)) == "other"
    with pytest.raises(SettingsError, match="both password_file and PB_LINK_MQTT_PASSWORD .* take one away"):
        read_password(found, secrets.of_gateway("mqtt", found))
    nobody = read("[mqtt]")
    with pytest.raises(SettingsError, match="set username"):
        read_password(nobody, secrets.of_gateway("mqtt", nobody))


def test_password_file_is_read_at_each_use():
    found = secret(b"one")
    secrets = Secrets({}).of_gateway("mqtt", found)
    assert read_password(found, secrets) == "one"
    Path("secret").write_text("two")
    assert read_password(found, secrets) == "two"


@pytest.mark.parametrize(
    ("text", "mode", "error"),
    [
        (b"horse", 0o644, "chmod 600"),
        (b"horse\xff", 0o600, "not UTF-8"),
        (b"horse\nhorse\n", 0o600, "password alone"),
        (b"\n", 0o600, "password alone"),
        (b"horse" * MAX_PASSWORD, 0o600, "password alone"),
    ],
)
def test_password_file_that_is_none_is_an_error_without_the_password(text, mode, error):
    found = secret(text, mode)
    with pytest.raises(SettingsError, match=error) as raised:
        password_of(found)
    shown = "".join(map(str, (raised.value, raised.value.__cause__, found)))
    assert "horse" not in shown


def test_certificates_that_are_none_are_an_error(mqtt_broker):
    assert mqtt_broker.tls_context(read("[mqtt]")) is None
    assert mqtt_broker.tls_context(read("[mqtt]\ntls = true")).check_hostname
    Path("ca.pem").write_text("nothing")
    for name in ("ca.pem", "absent.pem"):
        with pytest.raises(SettingsError, match=f"no TLS with .*{name}"):
            mqtt_broker.tls_context(read(f'[mqtt]\ntls = true\nca_file = "{name}"'))


def test_extra_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "aiomqtt", None)
    for name in ("server.gateways.mqtt.gateway", "server.gateways.mqtt.broker"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(SettingsError, match=r"pip install '\.\[mqtt\]'"):
        gateway_class("mqtt")
