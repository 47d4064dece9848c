"""Which bus of which server is meant."""

import pytest

from remote_i2c.smbus_client.target import target_of

SERVER = {"PB_LINK_SMBUS": "grpc://127.0.0.1:50052"}


@pytest.mark.parametrize(
    ("bus", "environment", "address", "name"),
    [
        ("grpc://mast:50060/1", {}, "mast:50060", "1"),
        ("grpc://mast/1", {}, "mast:50051", "1"),
        ("grpc://[::1]:50060/pump%20one", SERVER, "[::1]:50060", "pump one"),
        (1, SERVER, "127.0.0.1:50052", "1"),
        ("/dev/i2c-3", SERVER, "127.0.0.1:50052", "3"),
        ("mast", {"PB_LINK_SMBUS": "grpc://127.0.0.1/"}, "127.0.0.1:50051", "mast"),
    ],
)
def test_bus_is_found(bus, environment, address, name):
    target = target_of(bus, environment=environment)
    assert (target.address, target.bus, target.secure, target.metadata) == (address, name, False, ())


def test_token_and_certificates_come_from_arguments_or_the_environment(tmp_path):
    ca = tmp_path / "ca.pem"
    ca.write_bytes(b"pem")
    environment = {"PB_LINK_SMBUS_TOKEN": "a", "PB_LINK_SMBUS_CA": str(ca)}
    target = target_of("grpcs://mast/1", environment=environment)
    assert (target.secure, target.ca, target.metadata) == (True, b"pem", (("authorization", "Bearer a"),))
    assert target_of("grpcs://mast/1", token="b", environment=environment).token == "b"
    assert target_of("grpcs://mast/1", environment={}).ca is None


def test_token_is_not_sent_where_it_can_be_read():
    with pytest.raises(ValueError, match="use grpcs://, or an ssh tunnel"):
        target_of("grpc://mast:50051/1", token="a")
    assert target_of("grpc://127.0.0.1:50051/1", token="a").token == "a"


def test_server_that_nobody_names_is_an_error_that_says_how():
    with pytest.raises(OSError, match="set PB_LINK_SMBUS=grpc://HOST:50051"):
        target_of(1, environment={})


@pytest.mark.parametrize(
    ("bus", "environment"),
    [
        ("http://mast:50051/1", {}), ("grpc:///1", {}), ("grpc://mast:x/1", {}), ("grpc://mast:99999/1", {}),
        ("grpc://mast:50051", {}), ("grpc://mast:50051/", {}), ("grpc://me:secret@mast/1", {}), ("grpc://mast/1?x", {}),
        (1, {"PB_LINK_SMBUS": "mast:50051"}), (1, {"PB_LINK_SMBUS": "grpc://mast:50051/1"}),
    ],
)  # fmt: skip
def test_what_names_no_bus_is_refused(bus, environment):
    with pytest.raises(ValueError, match="grpc://HOST:PORT/BUS|leave it out"):
        target_of(bus, environment=environment)


@pytest.mark.parametrize("bus", [None, 1.0, True, b"1"])
def test_what_is_neither_number_nor_text_is_refused(bus):
    with pytest.raises(TypeError):
        target_of(bus, environment=SERVER)
