"""sim/wires/wifi.py: the station joins what it should, and loses it."""

from sim.wires import wifi

NET = wifi.Network("net", "word")


def joined(air, *credentials, at=0.0, stored=None):
    station = wifi.Station(air, stored)
    station.power_on(at)
    if credentials:
        station.connect(*credentials, at)
    return station


def test_joins_after_the_time_that_it_takes():
    station = joined(wifi.Air(NET, assoc_s=2), "net", "word")
    assert station.status(1) == wifi.CONNECTING and not station.connected(1)
    assert station.connected(2)


def test_wrong_ssid_and_wrong_password():
    assert joined(wifi.Air(NET), "other", "word").status(9) == wifi.NO_AP_FOUND
    assert joined(wifi.Air(NET), "net", "bird").status(9) == wifi.WRONG_PASSWORD


def test_network_without_addresses_is_never_connected():
    air = wifi.Air(wifi.Network("net", "word", addresses=False))
    station = joined(air, "net", "word")
    assert station.status(999) == wifi.CONNECTING and not station.connected(999)
    assert joined(air, "net", "bird").status(9) == wifi.WRONG_PASSWORD


def test_any_credentials_do_unless_the_network_is_particular():
    assert joined(wifi.Air(), "anything", "at all").connected(9)


def test_nothing_stored_means_idle_and_stored_is_joined_at_boot():
    assert joined(wifi.Air()).status(9) == wifi.IDLE
    assert joined(wifi.Air(), None, None).status(9) == wifi.IDLE
    assert joined(wifi.Air(NET), stored=("net", "word")).connected(9)


def test_credentials_survive_in_flash():
    station = joined(wifi.Air(), "net", "word")
    station.power_off()
    station.power_on(9)
    assert station.connected(18)


def test_flash_has_room_for_one_network_and_the_last_attempt_takes_it():
    station = joined(wifi.Air(NET), "other", "word", stored=("net", "word"))
    assert station.config_ssid() == b"other"
    station.connect(None, None, 9)
    assert station.status(18) == wifi.NO_AP_FOUND


def test_each_network_of_the_air_leads_to_the_server_or_does_not():
    air = wifi.Air(wifi.Network("other", "bird", server=False), NET)
    assert joined(air, "net", "word").reaches_server(9)
    elsewhere = joined(air, "other", "bird")
    assert elsewhere.connected(9) and not elsewhere.reaches_server(9)
    assert joined(air, "other", "word").status(9) == wifi.WRONG_PASSWORD


def test_network_out_of_range_is_not_found_and_the_others_are():
    other = wifi.Network("other", "bird")
    other.up = False
    air = wifi.Air(other, NET)
    assert joined(air, "other", "bird").status(9) == wifi.NO_AP_FOUND
    assert joined(air, "net", "word").connected(9)


def test_ssid_of_32_bytes_is_read_with_the_password_and_a_longer_one_is_cut_off():
    assert joined(wifi.Air(), "n" * 31, "word").config_ssid() == b"n" * 31
    assert joined(wifi.Air(), "n" * 40, "word").config_ssid() == b"n" * 32 + b"word"


def test_an_outage_ends_by_itself_when_the_access_point_is_back():
    air = wifi.Air(wifi.Network("net", "word"), assoc_s=2)
    station = joined(air, "net", "word")
    air.set_up(False)
    assert not station.connected(9)
    air.set_up(True)
    station.outage_ended(20)
    assert not station.connected(21) and station.connected(22)


def test_a_station_that_is_off_is_not_connected():
    station = joined(wifi.Air(), "net", "word")
    station.set_active(False, 9)
    assert station.status(9) == wifi.IDLE
