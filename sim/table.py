"""The table at the end of a run and of the demonstration."""

from sim import checker


def print_table(result):
    """Prints the result of a run, or of the demonstration, whose applications do not report `fallbacks`."""
    print(f"{'':18}" + "".join(f"{field:>12}" for field in checker.FIELDS))
    for direction in ("client_to_server", "server_to_client"):
        print(f"{direction:18}" + "".join(f"{result[direction][field]:12}" for field in checker.FIELDS))
    rest = [f"{name} {result[name]}" for name in ("seconds", "i2c_bytes", "i2c_transactions", "resets", "outages")]
    if "fallbacks" in result:
        rest.append("fallbacks " + " ".join(f"{who} {count}" for who, count in result["fallbacks"].items()))
    print("   ".join(rest))
