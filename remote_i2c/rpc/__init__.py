"""SMBus over gRPC, the server's half: two services, sessions, and the door that serves them. Needs the extra `grpc`."""
