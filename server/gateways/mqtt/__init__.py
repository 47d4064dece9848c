"""The gateway to an MQTT broker, and to Home Assistant through it."""
