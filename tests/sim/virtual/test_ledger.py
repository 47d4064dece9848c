"""What the ledger of a run excuses, and what it does not."""

from sim.virtual.ledger import Ledger
from sim.virtual.world import World


def test_ledger_excuses_what_three_lives_of_the_client_saw():
    """Of the checker: a second life that was cut off before it had read all of it again counted as duplication."""
    ledger = Ledger(World(), 4)
    ledger.server_written += "abcd"
    for read in ("abc", "b", "cd"):
        ledger.new_life().read.extend(read)
    assert ledger.verdict()[1]["duplicated"] == ledger.verdict()[1]["lost"] == 0
    assert ledger.seen_twice == 2
