"""I2C buses for programs elsewhere: SMBus over gRPC, and Web I2C. docs/remote-i2c.md says how to use it."""
