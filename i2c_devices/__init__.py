"""I2C devices at the level of transactions: the target's side and the
controller's side of each. Import the module that you need."""
