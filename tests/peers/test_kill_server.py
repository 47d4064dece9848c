"""The server's process is killed under traffic. `make kill-server` does it a hundred times with fifty clients."""

from tests.peers import kill_server

CLIENTS, KILLS = 12, 6


def test_nothing_is_lost_doubled_or_reordered_when_the_server_is_killed(report_line):
    result = kill_server.run(CLIENTS, KILLS, seed=7)
    report_line(f"server killed {KILLS} times under {CLIENTS} clients: {result}")
    assert (result["lost"], result["duplicated"], result["reordered"]) == (0, 0, 0)
    assert result["gone_with_readline"] <= KILLS * CLIENTS // 4
    assert result["seen_again"] <= 2 * KILLS * CLIENTS and result["in_doubt"] <= KILLS * CLIENTS
    assert result["lines"] > 500
