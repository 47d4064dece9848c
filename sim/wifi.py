"""The Wi-Fi station of an ESP8266 and the network it finds. Pure: time is an argument, in seconds."""

IDLE, CONNECTING, WRONG_PASSWORD, NO_AP_FOUND, CONNECT_FAIL, GOT_IP = range(6)


class Network:
    """An access point. `ssid` None: it takes whatever credentials come, which suits people who try programs.

    `stored` are credentials in the chip's flash, (ssid, password), or None.
    """

    def __init__(self, ssid=None, password=None, *, stored=None, assoc_s=2.0):
        self.ssid = ssid
        self.password = password
        self.stored = stored
        self.assoc_s = assoc_s
        self.up = True

    def judge(self, ssid, password):
        """What becomes of an attempt to join: GOT_IP, NO_AP_FOUND or WRONG_PASSWORD."""
        if not self.up or not ssid:
            return NO_AP_FOUND
        if self.ssid is not None and ssid != self.ssid:
            return NO_AP_FOUND
        if self.ssid is not None and password != self.password:
            return WRONG_PASSWORD
        return GOT_IP


class Station:
    """The chip's station interface. After an outage it joins again by itself, as the chip does."""

    def __init__(self, network):
        self.network = network
        self.power_off()

    def power_off(self):
        self.active = False
        self._credentials = None
        self._since = None

    def power_on(self, now):
        """The station interface is on after boot, and joins the stored network by itself."""
        self.set_active(True, now)

    def set_active(self, on, now):
        if on and not self.active and self.network.stored:
            self.connect(None, None, now)
        if not on:
            self._credentials = None
        self.active = bool(on)

    def connect(self, ssid, password, now):
        """`ssid` None: with what is stored in flash. New credentials are stored there, as on the chip."""
        if ssid is None:
            self._credentials = self.network.stored
        else:
            self._credentials = (ssid, password)
            self.network.stored = self._credentials
        self._since = now

    def disconnect(self):
        self._credentials = None

    def outage_ended(self, now):
        """The access point is back: the chip joins again by itself."""
        self._since = now

    def status(self, now):
        if not self.active or self._credentials is None:
            return IDLE
        if not self.network.up:
            return NO_AP_FOUND if now - self._since > self.network.assoc_s else CONNECTING
        if now - self._since < self.network.assoc_s:
            return CONNECTING
        return self.network.judge(*self._credentials)

    def connected(self, now):
        return self.status(now) == GOT_IP
