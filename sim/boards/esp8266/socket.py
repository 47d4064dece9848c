"""`socket` of the ESP8266: TCP goes through the wire process, where Wi-Fi can fail and a crash leaves half-open ends.

Once connected it is a socket of the interpreter's own, so that streams and polls behave as they do.
"""

import usocket
from io import IOBase

from simlink import call
from usocket import AF_INET, SOCK_DGRAM, SOCK_STREAM, SOL_SOCKET, SO_REUSEADDR

_SO_SNDBUF = 7
_BUFFER = 2304  # the kernel doubles it; with its own overhead this is about lwIP's 2 * 1460 bytes


def getaddrinfo(host, port, *_):
    return [(AF_INET, SOCK_STREAM, 0, "", (host, port))]


class socket(IOBase):
    def __init__(self, *args):
        self._socket = usocket.socket(*args[:2])

    def ioctl(self, request, argument):
        return self._socket.fileno() if request == 10 else -1  # a poll asks for the file descriptor

    def connect(self, address):
        port = call(16, 0, 0, 0, address[1], address[0].encode())
        self._socket.setsockopt(SOL_SOCKET, _SO_SNDBUF, _BUFFER)
        self._socket.connect(usocket.getaddrinfo("127.0.0.1", port)[0][4])

    def __getattr__(self, name):
        return getattr(self._socket, name)
