"""The checks of `pb-link doctor`: each looks at one thing and yields Findings. What the computer is like comes from a
Machine (machine.py), so they can be tried on any. Nothing is changed, and a server may be running."""

import contextlib
import os

from protocol.version import RELEASE, release_text
from server.core.listening import plain_host
from server.core.shown import quoted
from server.gateways.interface import descriptions
from server.service import client_settings
from server.service.admin import ANSWER_S, ask
from server.service.finding import FAULTS, good, note, wrong
from server.service.key_file import fingerprint
from server.service.local_socket import HAS_UNIX, PATH_BYTES
from server.service.log import look_at_file
from server.service.secret_settings import key_source
from server.service.settings import in_full
from server.service.store_checkup import owners, store
from server.stores.opened import is_postgres

OLDEST_PYTHON = (3, 11)
RELEASED_S = 1_764_460_800  # 2025-11-30: a clock before it is wrong
LOOPBACK = ("127.0.0.1", "::1", "localhost")
EVERYWHERE = ("", "0.0.0.0", "::")


class Subject:
    """What the checks look at. Args: settings: of the server, or None if they are faulty; secrets: Secrets; clients:
    paths of the settings of clients, as on their boards; machine: Machine."""

    def __init__(self, settings, secrets, clients, machine):
        self.settings = settings
        self.secrets = secrets
        self.clients = clients
        self.machine = machine

    def keys(self):
        """Returns {id: key, or [old, new]}. Raises: FAULTS."""
        self.secrets.validate()
        return key_source(self.settings, self.secrets).read()


def versions(subject):
    machine = subject.machine
    shown = ".".join(map(str, machine.python))
    if machine.python < OLDEST_PYTHON:
        yield wrong("python", f"this is Python {shown}", "install Python 3.11 or newer")
    else:
        yield good("python", f"Python {shown}, pb_link {release_text(RELEASE)}")
    for extra, needed in _extras_in_use(subject.settings).items():
        for package, version in machine.pinned(extra).items():
            found = machine.package_version(package)
            if found is None:
                yield wrong("packages", f"{needed} needs {package}", f"pip install '.[{extra}]' in the checkout")
            elif version not in (None, found):
                text = f"{package} is {found}; pb_link {release_text(RELEASE)} was tested with {version}"
                yield note("packages", text, f"pip install '.[{extra}]' in the checkout")
    for package, what in (("mpremote", "put programs onto boards"), ("esptool", "flash the ESP8266")):
        found = machine.package_version(package)
        if found is None:
            yield note("packages", f"{package} is not here; it is needed to {what}", f"pip install {package}")
        else:
            yield good("packages", f"{package} {found}")


def _extras_in_use(settings):
    """Returns {extra: what needs it}, of the settings."""
    if settings is None:
        return {}
    known = descriptions()
    found = {known[name].extra: f"[{name}]" for name in settings.gateways if known[name].extra}
    if is_postgres(settings.store):
        found["postgres"] = "the store"
    return found


def keys(subject):
    try:
        found = subject.keys()
    except FAULTS as error:
        yield wrong("keys", str(error))
        return
    if not found:
        yield wrong("keys", "nobody has a key", in_full("pb-link keys add ID --settings FILE", subject.settings))
    else:
        clients = "client has a key" if len(found) == 1 else "clients have keys"
        yield good("keys", f"{len(found)} {clients}")


def clients(subject):
    for path in subject.clients:
        yield from _client(subject, path)


def _client(subject, path):
    what = os.path.basename(path)
    if not os.path.lexists(path):
        command = in_full(f"pb-link keys add ID --settings {quoted(path)}", subject.settings)
        yield wrong(what, f"there is no {path}", f"{command} makes it")
        return
    try:
        items = client_settings.raw(path)
        client_settings.validate(items)
    except FAULTS as error:
        yield wrong(what, str(error), "" if "pb-link" in str(error) else "mend it, or make it anew")
        return
    found = [*_key_of(subject, what, path, items), *_server_of(subject, what, items)]
    if subject.machine.open_to_others(path):
        text = "others can read it: it has a key and the password of the Wi-Fi"
        found.append(wrong(what, text, f"chmod 600 {quoted(path)}"))
    yield from found or [good(what, f"the settings of {items.get('id', 'demo')} go with the server's")]


def _key_of(subject, what, path, items):
    client_id = items.get("id", "demo")
    words = f"{quoted(client_id)} --settings {quoted(path)}"
    try:
        known = subject.keys()
    except FAULTS:
        yield note(what, "its key was not compared with the server's, which cannot be read", "see keys above")
        return
    if client_id not in known:
        command = in_full(f"pb-link keys add {words}", subject.settings)
        yield wrong(what, f"the server has no key of {client_id}", command)
        return
    theirs = known[client_id]
    theirs = theirs if isinstance(theirs, list) else [theirs]
    own = bytes.fromhex(items["key"])
    if own not in theirs:
        text = f"its key ({fingerprint(own)}) is not the server's key of {client_id} ({fingerprint(theirs[-1])})"
        command = in_full(f"pb-link keys rotate {words}", subject.settings)
        yield wrong(what, text, f"{command}, and put the file on the board again")


def _server_of(subject, what, items):
    settings, machine = subject.settings, subject.machine
    addresses = items.get("server", client_settings.DEFAULTS["server"])
    places = [one.strip() for one in (addresses.split(",") if isinstance(addresses, str) else addresses)]
    for name in ("port", "timeout_ms"):
        own, theirs = items.get(name, client_settings.DEFAULTS[name]), getattr(settings, name)
        if own != theirs and not (name == "port" and any(":" in one for one in places)):
            yield wrong(what, f"its {name} is {own}, and the server's is {theirs}", "make them the same")
        elif name == "port":
            yield from _ports_of(what, places, own, theirs)
    for place in places:
        host = place.partition(":")[0]
        if host in LOOPBACK:
            yield note(
                what,
                f"its server is {host}, which only a client in the simulator reaches",
                "for a board: pb-link init NAME --server ADDRESS, or edit it",
            )
        elif not (found := machine.addresses_of(host)):
            text = f"the name of its server, {host}, has no address here"
            yield wrong(what, text, "check the name, or give an address")
        else:
            with contextlib.suppress(OSError):
                own = machine.own_address()
                if own not in found and plain_host(settings.host) in EVERYWHERE:
                    yield note(
                        what,
                        f"its server is {host}, and this computer is {own} in its network",
                        "right if the server is another computer, or behind a balancer",
                    )


def _ports_of(what, places, default, theirs):
    """Of addresses, of which one has a port at least."""
    for place in places:
        host, _, own = place.partition(":")
        if int(own or default) != theirs:
            text = f"its server is port {own or default} of {host}, and this server's port is {theirs}"
            yield note(what, text, "right if another server or a balancer has that port; else make them the same")


def port(subject):
    settings, machine = subject.settings, subject.machine
    here = "127.0.0.1" if plain_host(settings.host) in EVERYWHERE else plain_host(settings.host)
    answers = machine.answers(here, settings.port)
    try:
        running = _port_of_own_server(settings)
    except OSError as error:
        running = None
        if answers:
            text = f"the admin socket cannot be asked: {error}"
            yield note("port", f"port {settings.port} is in use; {text}", "run as the server's user")
            return
    if running not in (None, settings.port):
        has_it = f", which {machine.listener(settings.port) or 'another program'} has" if answers else ""
        text = f"the server of this folder listens on port {running}, and the settings have {settings.port}{has_it}"
        yield wrong("port", text, "restart the server, or set the port back")
    elif answers and running is None:
        who = machine.listener(settings.port) or "another program"
        text = f"{who} listens on port {settings.port}, and it is not the server of this folder"
        yield wrong("port", text, "end it, or give the server another port, and the clients the same")
    elif answers:
        yield good("port", f"the server listens on port {settings.port}")
        yield from _reachable(settings, machine)
    elif running is not None:
        text = f"the server runs, and does not answer at {here}, port {settings.port}"
        yield wrong("port", text, "restart the server, if `host` was changed; or see the firewall below")
    elif fault := machine.bind_fault(plain_host(settings.host) or "0.0.0.0", settings.port):
        text = f"port {settings.port} of {settings.host} cannot be had: {fault}"
        yield wrong("port", text, "give another port or host")
    else:
        yield note("port", f"port {settings.port} is free: no server runs", in_full("pb-link serve", settings))


def _port_of_own_server(settings):
    """Returns the port of the server that has the admin socket, or None. Raises: OSError if that cannot be known:
    somebody has the socket, and does not answer, or not this user."""
    try:
        for answer in ask(settings.admin_socket, {"do": "clients"}, ANSWER_S):
            return answer.get("port") or settings.port
    except (FileNotFoundError, ConnectionRefusedError, ValueError):
        pass  # nobody has it, or another program
    return None


def _reachable(settings, machine):
    if plain_host(settings.host) in LOOPBACK:
        text = f"the server listens on {settings.host} only: no board reaches it"
        yield wrong("network", text, f'in {settings.path or "pb_link.toml"}: host = "0.0.0.0"')
        return
    try:
        address = machine.own_address()
    except OSError:
        yield wrong("network", "this computer is in no network", "connect it to the network of the ESP8266")
        return
    if machine.answers(address, settings.port):
        yield good("network", f"the server answers at {address}:{settings.port}")
    else:
        text = f"the server does not answer at {address}:{settings.port}"
        yield wrong("network", text, "see the firewall below")


def files(subject):
    settings = subject.settings
    if HAS_UNIX and len(os.fsencode(settings.admin_socket)) > PATH_BYTES:
        text = f"the path of admin_socket is longer than {PATH_BYTES} bytes, which this system does not take"
        yield wrong("admin_socket", text, 'a short one: admin_socket = "/run/user/1000/pb_link.sock"')
    try:
        look_at_file(settings.log_file)
    except FAULTS as error:
        yield wrong("log_file", str(error))


def firewall(subject):
    machine, number = subject.machine, subject.settings.port
    if machine.platform == "win32":
        command = (
            f'netsh advfirewall firewall add rule name="pb_link" dir=in action=allow protocol=TCP localport={number}'
        )
        yield note("firewall", "Windows blocks ports that nobody has allowed", f"as administrator: {command}")
    elif machine.platform == "darwin":
        yield note(
            "firewall",
            "macOS may block programs that listen",
            "System Settings, Network, Firewall, Options: allow incoming connections of python3",
        )
    elif "ENABLED=yes" in machine.text_of("/etc/ufw/ufw.conf"):
        yield note("firewall", "ufw is on", f"sudo ufw allow {number}/tcp")
    elif machine.has_program("firewall-cmd") and _says(machine, "running", "firewall-cmd", "--state"):
        command = f"sudo firewall-cmd --permanent --add-port={number}/tcp && sudo firewall-cmd --reload"
        yield note("firewall", "firewalld is on", command)
    elif machine.has_program("nft"):
        rules = machine.output("nft", "list", "ruleset") if machine.is_root() else None
        if rules is None:
            command = f"sudo nft list ruleset | grep {number}"
            yield note("firewall", "nftables is here; its rules are root's to see", command)
        elif ("drop" in rules or "reject" in rules) and str(number) not in rules:
            yield note(
                "firewall",
                f"rules of nftables drop packets, and none names port {number}",
                f"sudo nft add rule inet filter input tcp dport {number} accept",
            )
        else:
            yield good("firewall", "no rule of nftables is in the way")
    else:
        yield good("firewall", "none was found")


def _says(machine, text, *command):
    return (machine.output(*command) or "").startswith(text)


def clock(subject):
    machine = subject.machine
    if machine.now() < RELEASED_S:
        yield wrong(
            "clock",
            "the clock is in the past: limits of time and certificates go by it",
            "set it: sudo timedatectl set-ntp true",
        )
        return
    said = None
    if machine.has_program("timedatectl"):
        said = machine.output("timedatectl", "show", "--property=NTPSynchronized")
    if said is not None and "=no" in said:
        yield note("clock", "the clock is not synchronised", "sudo timedatectl set-ntp true")
    else:
        yield good("clock", "the clock is plausible" if said is None else "the clock is synchronised")


def serial_ports(subject):
    machine = subject.machine
    found = machine.serial_ports()
    if not found:
        yield note("boards", "no board is at a serial port", "plug one in, with a cable that carries data")
    for one in found:
        name = f"{one.path} {one.name}".strip()
        if one.usable:
            yield good("boards", name)
        else:
            remedy = f"sudo usermod -aG {one.group or 'dialout'} $USER, then log out and in"
            yield wrong("boards", f"{name} may not be opened by you", remedy)


# In the order of the report. Those that need the server's settings are left out if these are faulty.
WITHOUT_SETTINGS = (versions, clock, serial_ports)
WITH_SETTINGS = (versions, keys, clients, files, port, firewall, store, owners, clock, serial_ports)
