"""The core of the server, for both interpreters: client connections, their sessions, and the contract of a store."""
