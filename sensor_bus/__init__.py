"""A managed I2C bus of sensors: it finds, identifies, initialises and polls devices, and publishes their samples.

It knows nothing of the link. No module of it is imported here, so that a board pays only for those that it uses.
docs/sensor-bus.md.
"""
