"""CHIRIMEN's protocol: its bytes, and a door that speaks it."""

import asyncio

import pytest

from remote_i2c.web import chirimen
from remote_i2c.web.calls import Request
from remote_i2c.web.frames import BadFrame
from remote_i2c.web.session import BAD_MESSAGE
from tests.remote_i2c.web.doors import fake_bus, opened_door, opened_page

PAGE = "http://page.example"


def decode(text):
    return chirimen.decode_request(bytes.fromhex(text), 1)


def test_recorded_requests_and_answers():
    head = bytes.fromhex("01 02 03")
    assert decode("01 02 03 20 48 01") == Request(head + b"\x20", 1, 0x48)
    assert decode("01 02 03 21 48 02 01 60") == Request(head + b"\x21", 1, 0x48, b"\x01\x60")
    assert decode("01 02 03 22 48 03") == Request(head + b"\x22", 1, 0x48, None, 3)
    assert decode("01 02 03 23 48 10 02") == Request(head + b"\x23", 1, 0x48, b"\x10", 2)
    done = lambda text, data: chirimen.encode_done(decode(text), data).hex(" ")
    assert done("01 02 03 20 48 01", b"\1") == "01 02 03 20 01"
    assert done("01 02 03 21 48 02 01 60", b"") == "01 02 03 21 02"
    assert done("01 02 03 22 48 03", b"abc") == "01 02 03 22 03 61 62 63"


@pytest.mark.parametrize(
    "text",
    ["01 00 00 20", "01 00 00 21 48", "01 00 00 21 48 02 00", "01 00 00 21 48 00", "01 00 00 22 48",
     "01 00 00 22 48 00", "01 00 00 23 48 00", "01 00 00 10 04 01", "01 00 00 ff"],
)  # fmt: skip
def test_what_is_no_call_of_a_bus_is_answered_as_failed(text):
    with pytest.raises(BadFrame) as caught:
        decode(text)
    assert chirimen.encode_failed(caught.value.id) == bytes.fromhex(text)[:4] + b"\0"


@pytest.mark.parametrize("text", ["", "01", "01 00 00", "02 00 00 20 48 01"])
def test_what_is_no_request_has_no_answer(text):
    with pytest.raises(BadFrame) as caught:
        decode(text)
    assert caught.value.id is None


def test_a_door_without_tls_says_that_the_polyfill_does_not_reach_it():
    async def play(**options):
        events = []
        log = lambda event, **details: events.append((event, details))
        async with opened_door(origins=[PAGE], log=log, **options):
            return events

    ((event, _), (warning, details)) = asyncio.run(play(chirimen="127.0.0.1:0"))
    assert (event, warning) == ("web_i2c_listening", "web_i2c_no_tls") and "takes TLS alone" in details["reason"]
    ((event, _),) = asyncio.run(play())
    assert event == "web_i2c_listening"


def test_a_door_speaks_it_to_pages_of_the_named_origins_alone():
    async def play():
        async with opened_door(fake_bus(), {0x48}, chirimen="127.0.0.1:0", origins=[PAGE]) as door:
            where = {"which": 1, "path": "/", "hello": False}
            for origin in (None, "http://127.0.0.1:1", f"http://127.0.0.1:{door.addresses[1][1]}"):
                with pytest.raises(Exception, match="403"):
                    async with opened_page(door, origin=origin, **where):
                        pass
            async with opened_page(door, origin=PAGE, **where) as page:
                for request, answer in (
                    ("01 00 00 20 48 01", "01 00 00 20 01"),
                    ("01 01 00 20 49 01", "01 01 00 20 00"),
                    ("01 02 00 21 48 02 30 aa", "01 02 00 21 02"),
                    ("01 03 00 23 48 30 02", "01 03 00 23 02 aa 31"),
                    ("01 04 00 22 49 02", "01 04 00 22 00"),
                    ("01 05 00 10 04 01", "01 05 00 10 00"),
                ):
                    await page.send(bytes.fromhex(request))
                    assert (await page.receive()).hex(" ") == answer
                await page.send(b"\x02")
                assert (await page.closed())[0] == BAD_MESSAGE

    asyncio.run(play())
