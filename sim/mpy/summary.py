"""What a run of the playground has delivered, as a table. Pure, but for the file."""

FIELDS = ("lines", "acknowledged", "waiting", "sent_again", "without_qos")
_WAYS = (("client_to_server", "client -> server"), ("server_to_client", "server -> client"))
_EVENTS = ("outages", "bridge_resets", "client_resets", "i2c_bytes", "i2c_transactions")


def print_summary(result, file):
    """Prints the result of a playground, whose counts are those of what crossed the wires. Args: file: for text."""
    for name, counts in result["clients"].items():
        heading = "what was delivered" if len(result["clients"]) == 1 else f"{name} has moved"
        print(f"{heading:20}" + "".join(f"{field.replace('_', ' '):>14}" for field in FIELDS), file=file)
        for key, way in _WAYS:
            print(f"  {way:18}" + "".join(f"{counts[key][field]:14}" for field in FIELDS), file=file)
        print("  " + "   ".join(f"{event.replace('_', ' ')} {counts[event]}" for event in _EVENTS), file=file)
    if "read_by_the_server" in result:
        print("read by the server's application: " + in_words(result["read_by_the_server"]), file=file)
    print(f"{result['seconds']:.0f} s", file=file, flush=True)


def in_words(compared):
    """Returns the result of `playground.compared` as a sentence."""
    found = [f"{compared[name]} {name}" for name in ("duplicated", "reordered", "corrupted") if compared.get(name)]
    lines = "1 line" if compared["read"] == 1 else f"{compared['read']} lines"
    if compared["compared"] < compared["read"]:
        lines += f", of which the first {compared['compared']} were compared"
    if compared["in_order"] and not found:
        return f"{lines}, each once, in order"
    return f"{lines}, NOT as they were sent: {', '.join(found) or 'another order'}"
