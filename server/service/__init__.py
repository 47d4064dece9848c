"""The server as a program: `pb-link`, its settings, keys, log, metrics and commands."""
