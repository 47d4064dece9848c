"""The bridge: fixed firmware for an ESP8266 between a client's I2C mailbox and
a TCP connection to the server. It moves session frames and keeps nothing that
can be lost: resetting it at any moment costs only time."""
