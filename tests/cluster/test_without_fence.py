"""What test_kill_cluster.py runs finds a fault of the store, if there is one."""

from tests.cluster import kill_cluster
from tests.server import postgres


def test_statement_without_its_fence_is_found(monkeypatch):
    """Clients that come back elsewhere as new lives show it at once."""
    monkeypatch.setattr(kill_cluster, "QUIET_S", 2)  # what is lost does not come
    postgres.needed()
    result = kill_cluster.run(
        seed=2, faults=12, clients=6, pause_s=0.4, without="the fence", only=["restart_clients", "move_clients"]
    )
    assert kill_cluster.violations(result) > 0
