"""Virtual sensors: I2C devices at register level, multiplexers, and switched power, for both beds.

Pure: no clock of its own, time is given in seconds. Each device is made from its data sheet, which its module names.
"""
