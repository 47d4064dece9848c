"""Conditions of the statement of a batch that can be taken away, to see that a test finds it: name -> (text of the
statement, what stands there instead)."""

CONDITIONS = {
    "the version": (" AND locked.version = w.version", ""),
    "new messages only of clients that are still ours": (" JOIN ok ON ok.key = r.client", ""),
    "old messages only of clients that are still ours": (" JOIN ok ON ok.key = d.client", ""),
}
