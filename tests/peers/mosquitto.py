"""A real Mosquitto, and its own clients as independent witnesses. See test_mqtt*.py."""

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tests.patience import PATIENCE_S
from tests.server.peer import HOST, free_port

RETAINED_S = 3  # within which a retained message comes, if there is one
_NEEDED = ("mosquitto", "mosquitto_sub", "mosquitto_pub")

# Saved after every change, so that a kill leaves what a clean stop does, or nearly: saving is not before acknowledging.
_CONFIG = """
listener {port} {host}
persistence true
persistence_location {folder}/
autosave_on_changes true
autosave_interval 1
max_inflight_messages 0
max_queued_messages 0
log_dest file {folder}/mosquitto.log
log_type error
log_type warning
log_type notice
log_type information
log_type subscribe
user root
{more}
"""


def tool(name):
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin")


def needed(missing_tool):
    absent = [name for name in _NEEDED if not tool(name)]
    if absent:
        missing_tool(f"no {' and '.join(absent)}: sudo apt-get install -y mosquitto mosquitto-clients")


class Mosquitto:
    """A broker in a folder of its own. Use: `with Mosquitto(folder) as broker`."""

    def __init__(self, folder, more="allow_anonymous true", options=()):
        self.port = free_port()
        self.options = options  # of mosquitto_sub and mosquitto_pub
        self.folder = Path(folder)
        self.folder.mkdir(exist_ok=True)
        self._process = None
        config = _CONFIG.format(port=self.port, host=HOST, folder=self.folder, more=more)
        (self.folder / "mosquitto.conf").write_text(config)

    def start(self):
        command = [tool("mosquitto"), "-c", self.folder / "mosquitto.conf"]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)  # its log is a file
        for _ in range(int(PATIENCE_S / 0.01)):
            with socket.socket() as probe:
                if probe.connect_ex((HOST, self.port)) == 0:
                    return
            assert self._process.poll() is None, (self.folder / "mosquitto.log").read_text()
            time.sleep(0.01)
        raise AssertionError("Mosquitto does not listen")

    def stop(self, number=signal.SIGTERM):
        self._process.send_signal(number)
        self._process.wait(PATIENCE_S)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *error):
        if self._process.poll() is None:
            self.stop(signal.SIGKILL)

    def publish(self, topic, text, *options):
        """Publish with QoS 1, again and again until the broker has acknowledged it. Returns the number of attempts."""
        for attempt in range(1, 300):
            done = subprocess.run(
                [tool("mosquitto_pub"), "-V", "5", "-h", HOST, "-p", str(self.port), *self.options, "-q", "1", "-t",
                 topic, *(["-s"] if text else ["-n"]), *options],
                input=text if isinstance(text, bytes) else text.encode(), capture_output=True,
            )  # fmt: skip
            if done.returncode == 0:
                return attempt
            time.sleep(0.1)
        raise AssertionError(done.stderr.decode())

    def subscribed(self, *topics):
        """Whether each topic has been subscribed to since the first start. A client that has connected may not yet."""
        log = (self.folder / "mosquitto.log").read_text(errors="replace")
        return all(f" {topic}\n" in log for topic in topics)

    def watch(self, topic, name=None):
        """A Watcher; with a name, one whose session outlives the broker and the connection."""
        return Watcher(self, topic, name)

    def retained(self, topic):
        """The retained message of this topic, or None."""
        with self.watch(topic) as watcher:
            deadline = time.monotonic() + RETAINED_S
            while not watcher.messages and time.monotonic() < deadline:
                time.sleep(0.02)
            return watcher.messages[0][1] if watcher.messages else None


class Watcher:
    """mosquitto_sub: what it has seen is in `messages`, a list of (topic, text, number of the line or None)."""

    def __init__(self, broker, topic, name):
        self._output = broker.folder / f"watcher-{free_port()}.txt"
        keep = ["-c", "-x", "86400", "-i", name] if name else []
        command = [
            tool("mosquitto_sub"), "-V", "5", "-h", HOST, "-p", str(broker.port), *broker.options, *keep, "-q", "1",
            "-t", topic, "-F", "%t\\t%P\\t%p",
        ]  # fmt: skip
        with open(self._output, "wb") as file:
            self._process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)

    @property
    def messages(self):
        found = []
        for line in self._output.read_bytes().decode(errors="replace").split("\n")[:-1]:
            topic, tab, rest = line.partition("\t")
            if tab:  # otherwise it is about a connection
                properties, _, text = rest.partition("\t")
                known = dict(one.split(":", 1) for one in properties.split())
                found.append((topic, text, int(known["number"]) if "number" in known else None))
        return found

    def texts(self, topic=None):
        return [text for found, text, _ in self.messages if topic in (None, found)]

    def wait_for(self, condition, what):
        """Return when condition(messages) is true."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition(self.messages):
            assert time.monotonic() < deadline, f"{what} did not come: {self.messages[-20:]}"
            time.sleep(0.02)

    def close(self):
        self._process.kill()
        self._process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()
