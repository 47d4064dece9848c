"""The requests of Raft's device manager, without HTTP."""

import asyncio

import pytest

from server.core.devman import DevMan
from tests.server.core.sensor_peer import UTC, FakeClient


def asked(path, answer=None, **arguments):
    """Returns (the answer, what the client was asked)."""

    async def main():
        client = FakeClient()
        client.commands.answer = answer
        client.send_samples([(0, b"\x01\x50")], UTC)
        await anext(client.sensors.readings())
        return await DevMan(client.sensors).answer(path, arguments), client.commands.asked

    return asyncio.run(main())


def test_typeinfo_by_name_and_by_device():
    found, requests = asked("typeinfo", type="MCP9808")
    assert found["rslt"] == "ok" and found["req"] == "typeinfo" and found["devinfo"]["name"] and not requests
    assert asked("typeinfo", deviceid="1_18")[0]["devinfo"] == found["devinfo"]
    found, requests = asked("typeinfo", lambda request: {"info": {"name": "Mine"}}, type="3")
    assert found["devinfo"] == {"name": "Mine"} and requests[0][0] == {"cmd": "typeinfo", "type": 3}


def test_typeinfo_by_the_number_of_a_board_that_has_names_alone():
    found, requests = asked("typeinfo", lambda request: {"type": "AHT20", "number": 3, "info": None}, type="3")
    assert found["devinfo"]["name"] == "AHT20" and requests[0][0] == {"cmd": "typeinfo", "type": 3}
    found, _ = asked("typeinfo", lambda request: {"type": "Mine", "number": 3, "info": None}, type="3")
    assert found["rslt"] == "fail" and "neither" in found["error"]


def test_busname_is_the_number_of_the_bus_that_there_is():
    found, requests = asked("busname", lambda request: {"bus": 2, "devs": []}, busnum="2")
    assert found == {"req": "busname", "busName": "2", "rslt": "ok"} and requests[0][0] == {"cmd": "listdevs"}
    found, _ = asked("busname", lambda request: {"bus": 2, "devs": []}, busnum="1")
    assert found["rslt"] == "fail" and "this client has bus 2" in found["error"]


def test_cmdjson_has_any_command_carried_out_and_a_device_is_its_address():
    body = '{"device": "1_218", "cmd": "cmdraw", "write": "05", "read": 2, "timeout_ms": 8000}'
    found, requests = asked("cmdjson", lambda request: {"data": "0150"}, body=body)
    assert found == {"req": "cmdjson", "result": {"data": "0150"}, "rslt": "ok"}
    command, answer_ms, _ = requests[0]
    assert command == {"cmd": "cmdraw", "addr": 0x218, "write": "05", "read": 2, "timeout_ms": 8000}
    assert answer_ms > 8000
    found, requests = asked("cmdjson", lambda request: {"number": 20}, body='{"cmd": "addtype", "record": {"a": 1}}')
    assert found["result"] == {"number": 20} and requests[0][0] == {"cmd": "addtype", "record": {"a": 1}}
    found, _ = asked("cmdjson", lambda request: {"error": "not_allowed", "text": ".."}, body='{"cmd": "addtype"}')
    assert found == {"req": "cmdjson", "rslt": "fail", "error": "not_allowed", "text": ".."}


def test_device_of_another_bus_than_the_client_has_is_refused():
    for arguments in ({"deviceid": "2_18"}, {"bus": "2", "addr": "18"}):
        found, requests = asked("cmdraw", lambda request: {}, numToRd="1", **arguments)
        assert found["rslt"] == "fail" and "this client has bus 1" in found["error"] and not requests


def test_cmdraw_waits_for_the_device_and_tells_its_errors_apart():
    found, requests = asked("cmdraw", lambda request: {"data": "0150"}, deviceid="1_218", hexWr="05", numToRd="2")
    assert found == {"req": "cmdraw", "rdData": "0150", "rslt": "ok"}
    assert requests[0][0] == {"cmd": "cmdraw", "addr": 0x218, "write": "05", "read": 2, "timeout_ms": 1000}
    found, _ = asked("cmdraw", lambda request: {"data": ""}, bus="1", addr="18", hexWr="0105")
    assert found == {"req": "cmdraw", "rslt": "ok"}
    found, _ = asked("cmdraw", lambda request: {"error": "no_answer", "text": ".."}, addr="18", numToRd="1")
    assert found == {"req": "cmdraw", "rslt": "fail", "error": "no_answer", "text": ".."}


def test_devconfig_takes_an_interval_or_a_rate():
    for arguments in ({"intervalUs": "50000"}, {"sampleRateHz": "20"}):
        _, requests = asked("devconfig", lambda request: {}, addr="18", numSamples="4", **arguments)
        assert requests[0][0] == {"cmd": "devconfig", "addr": 0x18, "interval_us": 50000, "samples": 4}


def test_listdevs_names_each_device():
    found, _ = asked("listdevs", lambda request: {"bus": 2, "devs": [[0x218, "MCP9808", 1], [0x29, None, 1]]})
    assert found["devices"] == [
        {"deviceid": "2_218", "addr": "218", "type": "MCP9808", "status": 1},
        {"deviceid": "2_29", "addr": "29", "type": None, "status": 1},
    ]


@pytest.mark.parametrize(("path", "cmd"), [("pause", "pause"), ("resume", "resume"), ("rescan", "rescan")])
def test_plain_requests(path, cmd):
    found, requests = asked(path, lambda request: {})
    assert found == {"req": path, "rslt": "ok"} and requests[0][0] == {"cmd": cmd}


def test_bar_needs_a_time():
    _, requests = asked("bar", lambda request: {}, addr="18", ms="50")
    assert requests[0][0] == {"cmd": "bar", "addr": 0x18, "ms": 50}


@pytest.mark.parametrize(
    ("path", "arguments", "word"),
    [
        ("nothing", {}, "nothing"), ("typeinfo", {}, "type="), ("typeinfo", {"deviceid": "1_78"}, "78"),
        ("cmdraw", {"addr": "18"}, "hexWr"), ("cmdraw", {"addr": "zz", "numToRd": "1"}, "hexadecimal"),
        ("cmdraw", {"addr": "80", "numToRd": "1"}, "80"),
        ("bar", {"addr": "b8", "ms": "0"}, "b8"), ("cmdraw", {"numToRd": "1"}, "addr="),
        ("cmdraw", {"deviceid": "18", "numToRd": "1"}, "1_38"), ("cmdraw", {"addr": "18", "numToRd": "241"}, "240"),
        ("cmdraw", {"addr": "18", "numToRd": "1", "timeoutMs": "0"}, "timeoutMs"),
        ("devconfig", {"addr": "18"}, "intervalUs"), ("devconfig", {"addr": "18", "sampleRateHz": "0"}, "sampleRateHz"),
        ("devconfig", {"addr": "18", "sampleRateHz": "1", "intervalUs": "5000"}, "both"),
        ("devconfig", {"addr": "18", "busHz": "1"}, "busHz"), ("bar", {"addr": "18"}, "ms="),
        ("busname", {}, "busnum="), ("busname", {"busnum": "0"}, "busnum"), ("cmdjson", {}, "body="),
        ("cmdjson", {"body": "{"}, "JSON"), ("cmdjson", {"body": "[]"}, "object"), ("cmdjson", {"body": "{}"}, "cmd"),
        ("cmdjson", {"body": '{"cmd": 5}'}, "cmd"), ("cmdjson", {"body": '{"cmd": "bar", "device": 5}'}, "1_38"),
        ("cmdjson", {"body": '{"cmd": "bar", "answer_ms": 5}'}, "answer_ms"),
        ("cmdjson", {"body": '{"cmd": "bar", "wait": 5}'}, "wait"), ("cmdjson", {"body": "[" * 100000}, "object"),
        ("cmdjson", {"body": '{"cmd": "bar", "self": 5}'}, "self"), ("slot", {"bus": "1"}, "there is no 'slot'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_the_client_is_not_asked(path, arguments, word):
    found, requests = asked(path, lambda request: {}, **arguments)
    assert found["rslt"] == "fail" and word in found["error"] and not requests


def test_client_that_is_absent_is_a_failure_in_words():
    found, _ = asked("pause")
    assert found == {"req": "pause", "rslt": "fail", "error": "the client is absent"}


@pytest.mark.parametrize("path", ["listdevs", "busname", "cmdraw", "typeinfo"])
@pytest.mark.parametrize("answer", [{}, {"bus": 1}, {"bus": 1, "devs": [3]}, {"devs": 5, "bus": []}, {"type": ["x"]}])
def test_answer_that_is_another_one_than_it_should_be_is_a_failure(path, answer):
    found, _ = asked(path, lambda request: answer, addr="18", numToRd="1", busnum="2", deviceid="1_48")
    assert found["rslt"] == "fail" and found["error"]


def test_typeinfo_of_a_device_of_which_nothing_was_read_asks_what_is_there():
    answer = {"bus": 1, "devs": [[0x48, "TMP117", 1], [0x29, None, 1]]}
    found, requests = asked("typeinfo", lambda request: answer, deviceid="1_48")
    assert found["devinfo"]["name"] == "TMP117" and requests[0][0] == {"cmd": "listdevs"}
    assert "not known" in asked("typeinfo", lambda request: answer, deviceid="1_29")[0]["error"]
    assert "1_77" in asked("typeinfo", lambda request: answer, deviceid="1_77")[0]["error"]
