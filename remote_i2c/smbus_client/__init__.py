"""SMBus over gRPC, the client's half: what programs use in place of smbus2. Needs the extra `grpc`.

People import it as `pb_link.smbus`.
"""
