"""sim/wifi.py: the station joins what it should, and loses it."""

from sim import wifi


def joined(network, *credentials, at=0.0):
    station = wifi.Station(network)
    station.power_on(at)
    if credentials:
        station.connect(*credentials, at)
    return station


def test_joins_after_the_time_that_it_takes():
    station = joined(wifi.Network("net", "word", assoc_s=2), "net", "word")
    assert station.status(1) == wifi.CONNECTING and not station.connected(1)
    assert station.connected(2)


def test_wrong_ssid_and_wrong_password():
    assert joined(wifi.Network("net", "word"), "other", "word").status(9) == wifi.NO_AP_FOUND
    assert joined(wifi.Network("net", "word"), "net", "bird").status(9) == wifi.WRONG_PASSWORD


def test_any_credentials_do_unless_the_network_is_particular():
    assert joined(wifi.Network(), "anything", "at all").connected(9)


def test_nothing_stored_means_idle_and_stored_is_joined_at_boot():
    assert joined(wifi.Network()).status(9) == wifi.IDLE
    assert joined(wifi.Network(), None, None).status(9) == wifi.IDLE
    assert joined(wifi.Network("net", "word", stored=("net", "word"))).connected(9)


def test_credentials_survive_in_flash():
    network = wifi.Network()
    joined(network, "net", "word").power_off()
    assert joined(network).connected(9)


def test_an_outage_ends_by_itself_when_the_access_point_is_back():
    network = wifi.Network("net", "word", assoc_s=2)
    station = joined(network, "net", "word")
    network.up = False
    assert not station.connected(9)
    network.up = True
    station.outage_ended(20)
    assert not station.connected(21) and station.connected(22)


def test_a_station_that_is_off_is_not_connected():
    station = joined(wifi.Network(), "net", "word")
    station.set_active(False, 9)
    assert station.status(9) == wifi.IDLE
