"""Why there is no session with the server, in words for people. Loaded for one text; a board has the memory back then.

A reason is what the ESP8266 has told, a kind of control record and its code (docs/protocol.md section 7), or the fault
that this client has found in the handshake.
"""

from protocol.control import BAD_WIFI
from protocol.limits import VERSION
from protocol.sequence import get16

_WIFI = (
    "the Wi-Fi network {ssid} could not be joined",
    "the ESP8266 has not begun to join the Wi-Fi network {ssid}: is one configured or stored?",
    "joining the Wi-Fi network {ssid} takes too long: its access point is weak, or gives no address (DHCP)",
    "the Wi-Fi network {ssid} refuses the password",
    "there is no Wi-Fi network {ssid} in reach of the ESP8266 (2.4 GHz only): check the name",
    "the Wi-Fi network {ssid} refuses the connection",
)
_SERVER = (
    "no connection to {place} could be made",
    "nobody listens at {place}: start the server, or check its address and port",
    "{place} does not answer: check the address, and that the machine is on and no firewall blocks the port",
    "the network's name server does not answer, so the address of {server} is not known",
    "no address is known for {server}: check the server's name",
    "{place} closes each connection without a word: it is no pb_link server, or one that refuses for a while",
    "{place} takes connections and does not answer: it is no pb_link server, or it hangs",
    "{place} answers, but is no pb_link server: check the port",
    "{place} ends each connection before there is a session: the server's log says why",
)
_STORED = "that is stored in the ESP8266"
# In CONFIG: the port, and where its texts begin. Not control.decode_config, which would stay in a board's memory.
_PORT_AT, _TEXTS_AT = 1, 11


def text(kind, why, config, client_id):
    """One sentence without its full stop. Args: kind: control.BAD_WIFI or BAD_SERVER; why: int, the code, or str, a
    fault of the handshake; config: CONFIG record (bytes); client_id: str."""
    server, at = _text_at(config, _TEXTS_AT)
    ssid, _ = _text_at(config, at)
    place = "%s:%d" % (server, get16(config, _PORT_AT))
    if isinstance(why, str):
        if why.endswith("version %d, this is %d" % (VERSION, VERSION)):
            why = "the ESP8266's firmware speaks another protocol version: flash that of this client's release"
        return "no session with %s for the id %r: %s" % (place, client_id, why)
    texts = _WIFI if kind == BAD_WIFI else _SERVER
    ssid = repr(ssid) if ssid else _STORED
    return texts[why if why < len(texts) else 0].format(ssid=ssid, place=place, server=server)


def _text_at(config, at):
    """Returns (the text that begins with its length there, where the next one does)."""
    end = at + 1 + config[at]
    return str(config[at + 1 : end], "utf-8"), end
