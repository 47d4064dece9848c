"""Web I2C: buses for web pages, over a WebSocket. docs/remote-i2c.md, "Web I2C", has the bytes and the rules.

Needs the extra `web` (door.py and what it serves); the other modules need nothing.
"""
