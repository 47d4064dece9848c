"""I2C buses that are elsewhere: one interface of a bus, its providers, and the doors to them.

CPython only. docs/remote-i2c.md says which door is for whom.
"""
