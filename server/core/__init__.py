"""The server itself, under both interpreters: connections of clients, their sessions, and what a store must do."""
