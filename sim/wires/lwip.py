"""Properties of lwIP and MicroPython's modlwip on the ESP8266, for both beds.

Sources: esp-open-lwip's lwipopts.h and tcp.c, MicroPython 1.25's extmod/modlwip.c.
"""

TCP_MSS = 536
TCP_SND_BUF = 2 * TCP_MSS  # bytes that have been written and are not acknowledged
TCP_SND_QUEUELEN = 8  # pbufs of these bytes; a segment has one or more
TCP_WND = 4 * TCP_MSS  # the receive window: bytes that the program has not read
TCP_PCBS = 5  # sockets at a time
TCP_FAST_S = 0.25  # the clock of delayed acknowledgements
# A write for which there is no memory is repeated this often, with pauses, though the socket does not block.
MEM_TRIES = 200
MEM_PAUSE_MS = 50
# A name is given up after this time if no server answers. Nothing else runs meanwhile.
DNS_GIVES_UP_S = 7.0
DNS_PORT = 53
# The error of getaddrinfo in this case.
EAI_NONAME = -2
EAGAIN, EINPROGRESS = 11, 115
