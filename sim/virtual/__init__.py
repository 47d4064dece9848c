"""Bed *virtual*: client, bridge and server in one CPython process, on a clock that jumps to the next event.

costs     times that actions cost (docs/hardware.md's placeholders)
world     the clock, the order of all events, the loop of each board
board     a board: its loop, its interrupts, its randomness, its program; power on and off
chips     stand-ins for `machine`, `network`, `esp` of one board, on the nets and the bus of sim/wires/wire.py
network   who listens and who is connected; names. tcp: a TCP connection; lwip, tcp_ends: its ends
esp8266   the ESP8266 as a part: reset, boot straps, watchdog, Wi-Fi
link      all of it wired together
apps      the applications at both ends
ledger    what the applications wrote and read
faults    the faults that can be injected
run       `sim run --bed virtual`
"""
