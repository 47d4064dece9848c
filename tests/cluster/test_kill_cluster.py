"""Three servers on two PostgreSQL, and each kind of fault once. `make kill-cluster` injects a thousand."""

from tests.cluster import kill_cluster
from tests.cluster.network import Network
from tests.cluster.pair import Disk
from tests.server import postgres


def test_nothing_is_lost_doubled_or_reordered_whatever_fails(report_line):
    postgres.needed()
    why_not = Network.why_not()
    report_line(why_not or "nodes have wires of their own")
    result = kill_cluster.run(seed=1, faults=None, clients=6, pause_s=0.4, disks=Disk.possible(), wires=not why_not)
    report_line("\n".join(kill_cluster.summary([result])))
    assert not result["wrong"]
    assert kill_cluster.violations(result) == 0 and not result["late"]
    assert len(result["by_kind"]) == result["faults"] >= 20
    assert result["messages"] > 500 and result["takeovers"] > 0 and result["lives"] > 6


def test_statement_without_its_fence_is_found(monkeypatch):
    """Clients that come back elsewhere as new lives show it at once."""
    monkeypatch.setattr(kill_cluster, "QUIET_S", 2)  # what is lost does not come
    postgres.needed()
    result = kill_cluster.run(
        seed=2, faults=12, clients=6, pause_s=0.4, without="the fence", only=["restart_clients", "move_clients"]
    )
    assert kill_cluster.violations(result) > 0
