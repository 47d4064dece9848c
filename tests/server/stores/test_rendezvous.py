"""Where clients are placed: the same for ever, in equal parts, and with few that move."""

import hashlib

import pytest

from server.stores.rendezvous import Placement

CLIENTS = [f"client {number}" for number in range(3000)]
A, B, C = (f"{number:08}-0000-4000-8000-000000000000" for number in (1, 2, 3))


def test_known_placements_never_change():
    """These are of stores that exist: another result would look for clients where they are not."""
    placement = Placement([A, B, C])
    found = "".join(str([A, B, C].index(placement.of(client_id)) + 1) for client_id in CLIENTS[:32])
    assert found == "23132331333332333222221311131123"
    assert [placement.of(name) for name in ("pump", "tür 7", "")] == [B, C, C]


def test_number_is_made_of_the_ids_as_is_documented():
    def number(one, client_id):
        return int.from_bytes(hashlib.sha256(f"{one} {client_id}".encode()).digest()[:8], "big")

    placement = Placement([B, A, C])
    for client_id in CLIENTS[:200]:
        assert placement.of(client_id) == max((A, B, C), key=lambda one: number(one, client_id))


@pytest.mark.parametrize("ids", [[A, B, C], [C, A, B], [B, C, A]])
def test_order_of_the_databases_means_nothing(ids):
    assert [Placement(ids).of(one) for one in CLIENTS] == [Placement([A, B, C]).of(one) for one in CLIENTS]


def test_each_database_has_its_equal_part():
    placed = [Placement([A, B, C]).of(one) for one in CLIENTS]
    for one in (A, B, C):
        assert abs(placed.count(one) - 1000) < 100  # four standard deviations: 103


def test_only_what_goes_to_a_new_database_moves():
    before, after = Placement([A, B]), Placement([A, B, C])
    moved = [one for one in CLIENTS if before.of(one) != after.of(one)]
    assert moved and {after.of(one) for one in moved} == {C}
    assert 900 < len(moved) < 1100


def test_what_no_text_can_be_is_placed_and_refused_elsewhere():
    assert Placement([A, B]).of("\ud800") in (A, B)
