"""Gateways connect the server to other protocols. They use the core, never a store, the service or each other."""
