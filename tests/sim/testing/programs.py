"""Programs of users, as their tests have them: files that a test writes."""

CLIENT = """
import asyncio
import helper
from machine import ADC, Pin
from pb_link.app_base import AppBase
from pb_link.config import config, conn_id, hardware

class App(AppBase):
    def start(self):
        self.create_task(self.measure())
        self.create_task(self.obey())

    async def measure(self):
        adc = ADC("X19")
        while True:
            await self.write(helper.shown(adc.read_u16()))
            await asyncio.sleep(10)

    async def obey(self):
        led = Pin("Y3", Pin.OUT)
        while True:
            line = await self.readline()
            if line == "fail\\n":
                raise ValueError("it was told to")
            led(line == "on\\n")
            print("led", led())

asyncio.run(App(conn_id, config, hardware).run())
"""
HELPER = """
starts = []  # of this life

def shown(value):
    starts.append(value)
    return "%d %d" % (len(starts), value)
"""


def write_client(folder, text=CLIENT):
    """Writes a client's program, and a module beside it. Returns its path."""
    (folder / "helper.py").write_text(HELPER)
    (folder / "client.py").write_text(text)
    return folder / "client.py"
