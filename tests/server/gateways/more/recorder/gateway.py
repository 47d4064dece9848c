"""The recorder itself."""

import asyncio

from server.gateways.recorder.settings import TITLE

from server.gateways import interface
from server.gateways.setting import SettingsError


class Gateway(interface.Gateway):
    """Records the lines of its clients, and what it is told."""

    def __init__(self, settings, host):
        super().__init__(settings, host)
        self.lines = 0
        self.file = open(settings.file, "w")
        self._record(f"password {host.secrets['password']()}")
        host.subscribe(lambda event, client_id, details: self._record(f"event {event} {client_id}"))

    @classmethod
    async def validate(cls, settings, secrets):
        if secrets["password"]() != "horse":
            raise SettingsError("the password is wrong")
        return None if settings.file else "there is no file"

    async def run(self):
        try:
            await asyncio.gather(*map(self._read, self.settings.clients))
        finally:
            self.file.close()

    async def _read(self, client_id):
        connection = self.host.registry.get(client_id)
        done = None
        while True:
            store, number, line = await connection.next_after(done, 0, reader=TITLE)
            self._record(f"line {line.decode()}")
            self.lines += 1
            self.host.log("recorded", client_id, number=number)
            done = (store, number)

    def served_changed(self):
        self._record(f"served {sorted(self.host.served())}")

    def metrics(self):
        return [("recorder_lines_total", "counter", "Lines in the file", self.lines)]

    def _record(self, text):
        if not self.file.closed:
            print(text, file=self.file, flush=True)
