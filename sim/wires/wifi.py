"""The Wi-Fi station of an ESP8266 and the networks that it finds. Pure: time is an argument, in seconds."""

IDLE, CONNECTING, WRONG_PASSWORD, NO_AP_FOUND, CONNECT_FAIL, GOT_IP = range(6)
RSSI_DBM = -60  # of a chip that has joined a network, as WLAN.status("rssi") has it

# Sizes in the chip's `struct station_config`, in bytes. Longer text is cut off without an error.
SSID_BYTES = 32
PASSWORD_BYTES = 64

# Credentials of a second network, for beds that have one: it does not lead to the server.
ELSEWHERE = ("elsewhere", "another password")


class Network:
    """A network. `ssid` None: it accepts any credentials, for programs of users.

    up: it is in range; server: the server can be reached from it; addresses: it gives them, by DHCP. Without one the
    chip's status stays CONNECTING.
    """

    def __init__(self, ssid=None, password=None, *, server=True, addresses=True):
        self.ssid = ssid
        self.password = password
        self.server = server
        self.addresses = addresses
        self.up = True

    def takes(self, ssid):
        """Returns True if it has this name, or accepts any."""
        return self.ssid is None or _cut(self.ssid, SSID_BYTES) == ssid

    def admits(self, password):
        return self.ssid is None or _cut(self.password or "", PASSWORD_BYTES) == password


class Air:
    """The networks at one place. One that accepts any credentials comes last. Without networks there is one of that
    kind."""

    def __init__(self, *networks, assoc_s=2.0):
        self.networks = networks or (Network(),)
        self.assoc_s = assoc_s

    def find(self, ssid):
        """Returns the network of that name that is in range, or None."""
        for network in self.networks:
            if network.up and ssid and network.takes(ssid):
                return network
        return None

    def set_up(self, up):
        """Switches all access points on or off."""
        for network in self.networks:
            network.up = up


class Station:
    """The chip's station interface. After an outage it joins again by itself, as the chip does.

    `stored` are the credentials in the chip's flash, (ssid, password) or None; str or bytes. It has room for one pair:
    `connect` with credentials replaces them, even if they are wrong.
    """

    def __init__(self, air, stored=None):
        self.air = air
        self.store(stored)
        self.power_off()

    def store(self, credentials):
        """Writes credentials into the flash."""
        if credentials is not None:
            credentials = _cut(credentials[0], SSID_BYTES), _cut(credentials[1], PASSWORD_BYTES)
        self._stored = credentials

    def power_off(self):
        self.active = False
        self._credentials = None
        self._since = None

    def power_on(self, now):
        """Switches the station interface on, as after boot. It joins the stored network by itself."""
        self.set_active(True, now)

    def set_active(self, on, now):
        if on and not self.active and self._stored:
            self.connect(None, None, now)
        if not on:
            self._credentials = None
        self.active = bool(on)

    def connect(self, ssid, password, now):
        """Joins a network. `ssid` None: with the stored credentials. New ones are stored in flash, as on the chip."""
        if ssid is not None:
            self.store((ssid, password))
        self._credentials = self._stored
        self._since = now

    def disconnect(self):
        self._credentials = None

    def outage_ended(self, now):
        """Notes that the access point is back: the chip joins again by itself."""
        self._since = now

    def config_ssid(self):
        """Returns what `WLAN.config("ssid")` reads in the chip's memory, bytes: the stored ssid up to its NUL. An ssid
        of 32 bytes has none: the password follows."""
        ssid, password = self._stored or (b"", b"")
        return ssid + password if len(ssid) == SSID_BYTES else ssid

    def status(self, now):
        if not self.active or self._credentials is None:
            return IDLE
        if now - self._since < self.air.assoc_s:
            return CONNECTING
        ssid, password = self._credentials
        network = self.air.find(ssid)
        if network is None:
            return NO_AP_FOUND
        if not network.admits(password):
            return WRONG_PASSWORD
        return GOT_IP if network.addresses else CONNECTING

    def connected(self, now):
        return self.status(now) == GOT_IP

    def reaches_server(self, now):
        """Returns True if a network is joined from which the server can be reached."""
        return self.connected(now) and self.air.find(self._credentials[0]).server


def _cut(text, size):
    return (text.encode() if isinstance(text, str) else text)[:size]
