"""Gateways: other ways into and out of the server. They know the core, never a store, the service or each other."""
