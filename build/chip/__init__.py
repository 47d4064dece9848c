"""The chips' own instruction sets: MicroPython built for the ESP8266's CPU and for a Cortex-M4, emulated."""
