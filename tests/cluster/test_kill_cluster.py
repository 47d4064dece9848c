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
