"""What `pb-link doctor` asks of the computer that it runs on: clock, ports, programs, packages, serial ports.

The checks (checkup.py) get all of it through this class, so a test gives them another computer.
"""

import contextlib
import glob
import importlib.metadata
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

CONNECT_S = 2.0
COMMAND_S = 10.0
SYSTEM_PROGRAMS = ("/usr/sbin", "/sbin")  # not in everybody's PATH
# Where boards appear: USB serial of Linux (cdc_acm, usb-serial), of macOS; of Windows only pyserial knows.
SERIAL_PORTS = ("/dev/ttyACM*", "/dev/ttyUSB*", "/dev/cu.usb*")

SerialPort = namedtuple("SerialPort", "path name group usable")  # group: of its file, or ""; usable: may be opened


class Machine:
    """This computer."""

    platform = sys.platform
    python = sys.version_info[:3]

    def now(self):
        """Returns seconds UTC."""
        return time.time()

    def has_program(self, name):
        folders = [os.environ.get("PATH", os.defpath), *SYSTEM_PROGRAMS]
        return shutil.which(name, path=os.pathsep.join(folders)) is not None

    def output(self, *command):
        """Returns what a command prints, or None if it cannot be run, fails, or takes too long."""
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                timeout=COMMAND_S, check=False, errors="replace",
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout if done.returncode == 0 else None

    def text_of(self, path):
        """Returns the text of a file, or "" if it cannot be read."""
        try:
            return Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def package_version(self, name):
        """Returns the version of an installed package, or None."""
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return None

    def pinned(self, extra):
        """Returns {package: version or None} that an extra of pb-link asks for; {} where pb-link is not installed."""
        try:
            required = importlib.metadata.requires("pb-link") or ()
        except importlib.metadata.PackageNotFoundError:
            return {}
        found = {}
        for one in required:
            parts = re.match(r"""([\w.-]+)(?:==([\w.]+))?.*;\s*extra == ['"]([\w-]+)['"]""", one)
            if parts and parts[3] == extra:
                found[parts[1]] = parts[2]
        return found

    def own_address(self):
        """Returns this computer's IPv4 address in its network. Raises: OSError if it is in none."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("192.0.2.1", 9))  # an address of the documentation, RFC 5737; nothing is sent
            return sock.getsockname()[0]

    def addresses_of(self, name):
        """Returns the IPv4 addresses of a host, or an empty set."""
        with contextlib.suppress(OSError, UnicodeError):
            return {found[4][0] for found in socket.getaddrinfo(name, None, socket.AF_INET)}
        return set()

    def answers(self, host, port):
        """Returns True if somebody accepts connections there."""
        try:
            socket.create_connection((host, port), CONNECT_S).close()
        except (OSError, UnicodeError):  # the latter of a name that cannot be one, such as a..b
            return False
        return True

    def bind_fault(self, host, port):
        """Returns why the port cannot be listened on, or None."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as sock:
            if os.name == "posix":  # elsewhere it means that somebody may have the port already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((host, port))
            except OSError as error:
                return error.strerror or str(error)
            except (TypeError, UnicodeError) as error:
                return f"{host!r} is no name of a computer ({error})"
        return None

    def listener(self, port):
        """Returns the name of the program that listens on a port, or None if that cannot be known."""
        inodes = set()
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            for line in self.text_of(table).splitlines()[1:]:
                words = line.split()
                if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == port:  # TCP_LISTEN
                    inodes.add(f"socket:[{words[9]}]")
        for link in glob.iglob("/proc/[0-9]*/fd/*"):
            with contextlib.suppress(OSError):
                if os.readlink(link) in inodes:
                    number = link.split("/")[2]
                    return f"{self.text_of(f'/proc/{number}/comm').strip()} (process {number})"
        return None

    def free_bytes(self, folder):
        return shutil.disk_usage(folder).free

    def is_root(self):
        return hasattr(os, "geteuid") and os.geteuid() == 0

    def is_mine(self, path):
        """Returns True if a file belongs to the user who runs this, or owners are not known here."""
        return not hasattr(os, "geteuid") or os.stat(path).st_uid == os.geteuid()

    def owner_of(self, path):
        """Returns the name of the user to whom a file belongs, or the number of one without a name."""
        number = os.stat(path).st_uid
        with contextlib.suppress(ImportError, KeyError):
            import pwd

            return pwd.getpwuid(number).pw_name
        return str(number)

    def open_to_others(self, path):
        """Returns True if others than its owner may read a file."""
        return os.name == "posix" and bool(os.stat(path).st_mode & 0o077)

    def serial_ports(self):
        """Returns a list of SerialPort: where boards may be."""
        with contextlib.suppress(ImportError):
            from serial.tools import list_ports

            found = {one.device: one.description for one in list_ports.comports() if one.vid is not None}
            return [self._serial_port(path, name) for path, name in sorted(found.items())]
        return [self._serial_port(path, "") for pattern in SERIAL_PORTS for path in sorted(glob.glob(pattern))]

    @staticmethod
    def _serial_port(path, name):
        group = ""
        with contextlib.suppress(ImportError, OSError, KeyError):
            import grp

            group = grp.getgrgid(os.stat(path).st_gid).gr_name
        return SerialPort(path, name, group, os.name != "posix" or os.access(path, os.R_OK | os.W_OK))
