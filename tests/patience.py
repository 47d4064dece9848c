"""The bound on every wait of a test for what has to come."""

PATIENCE_S = 60  # far above what a loaded machine needs: whoever waits so long has found a fault
