"""What examples/deploy has: the parts of the Compose file and the units of systemd, as far as they run without Docker
and without a service manager. The balancer, the script and the settings are the real ones, on this machine."""

import asyncio
import re
import shutil
import subprocess

import asyncpg
import pytest
import yaml

from build.tools import debian
from build.tools.shell import MissingTool
from server.service import cli, settings
from tests.peers.processes import ROOT
from tests.peers.test_two_nodes import progress
from tests.peers.two_nodes import Nodes, check, played
from tests.server import postgres
from tests.server.peer import free_port, until, within

COMPOSE = ROOT / "examples/deploy/compose"
SYSTEMD = ROOT / "examples/deploy/systemd"
# Keys of a service that compose.yaml may have: https://github.com/compose-spec/compose-spec/blob/main/05-services.md
SERVICE_KEYS = {
    "image", "build", "command", "environment", "volumes", "depends_on", "tmpfs", "ulimits", "healthcheck",
    "stop_grace_period", "restart", "hostname", "ports", "profiles", "shm_size",
}  # fmt: skip
HEALTH_KEYS = {"test", "interval", "timeout", "retries", "start_period"}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def haproxy():
    """The path of the program."""
    if shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin") is None:
        try:
            debian.install(["haproxy"], "The test of the balancer")
        except MissingTool as error:
            if debian.in_ci():
                raise
            pytest.skip(str(error))
    return shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin")


def of_node(compose):
    """The service of a node, and the settings that it serves with."""
    return compose["services"]["node-a"], settings.read(str(COMPOSE / "pb_link.toml"))


def test_compose_file_has_known_keys_and_what_it_names_is_there(compose):
    assert set(compose) == {"name", "services", "volumes", "x-server"}
    services = compose["services"]
    for name, service in services.items():
        assert set(service) <= SERVICE_KEYS, name
        assert set(service.get("healthcheck", ())) <= HEALTH_KEYS
        needs = service.get("depends_on", {})
        assert set(needs) <= set(services)
        for needed, how in needs.items() if isinstance(needs, dict) else ():
            assert how["condition"] in CONDITIONS
            assert how["condition"] != "service_healthy" or "healthcheck" in services[needed]
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (COMPOSE / source).is_file() if source.startswith("./") else source in compose["volumes"]
    built = services["owner"]["build"]
    context = (COMPOSE / built["context"]).resolve()
    assert context == ROOT and (context / built["dockerfile"]).is_file()
    assert {one["image"] for one in services.values() if "image" in one} >= {"pb-link"}
    text = (COMPOSE / "compose.yaml").read_text()
    assert set(re.findall(r"\$\{(\w+)", text)) == set(re.findall(r"([A-Z_]{2,})=%s", text))  # as its head makes them
    ports = [port.split(":")[0] for one in services.values() for port in one.get("ports", ())]
    assert len(ports) == len(set(ports)) == 3


def test_compose_file_and_settings_fit_each_other(compose):
    node, found = of_node(compose)
    for name in ("node-a", "node-b"):
        assert all(port.endswith(f":{found.port}") for port in compose["services"][name]["ports"])
    assert found.store == "postgresql://pb_link@database/links" and found.keys == "store"
    owner = settings.read(str(COMPOSE / "owner.toml"))
    assert owner.store == "postgresql://owner@database/links" and owner.keys == "store"
    database = compose["services"]["database"]["environment"]
    assert (database["POSTGRES_USER"], database["POSTGRES_DB"]) == ("owner", "links")
    assert found.admin_socket.startswith(node["tmpfs"][0].partition(":")[0] + "/")
    port = found.metrics.rpartition(":")[2]
    assert f":{port}/healthz" in node["healthcheck"]["test"][-1]
    balancer = (COMPOSE / "haproxy.cfg").read_text()
    assert f"check port {port} " in balancer and f"node-a:{found.port}\n" in balancer
    for name in ("owner", "node-a"):
        service = compose["services"][name]
        options = cli._parser().parse_args(service["command"])
        mounted = {volume.split(":")[1] for volume in service["volumes"]}
        assert service["environment"]["PB_LINK_CONFIG"] in mounted
        assert name == "owner" or options.config in mounted
    init = compose["services"]["owner"]["command"]
    assert init[init.index("--role") + 1] == "pb_link" and owner.store in init


def test_balancer_in_front_of_two_servers_loses_and_doubles_nothing_in_rolling_restarts(tmp_path, haproxy, compose):
    subprocess.run([haproxy, "-c", "-f", COMPOSE / "haproxy.cfg"], check=True, capture_output=True)
    postgres.needed()
    database = postgres.Postgres(fsync="off")
    try:
        _role(database)
        url = database.url
        nodes = Nodes(tmp_path, url, keys="store", store=url.replace("postgres@", "pb_link@"))
        command = compose["services"]["owner"]["command"]
        init = [url if word.startswith("postgresql:") else word for word in command]
        assert nodes.asked(*init) == "made: servers can use it now\n"
        assert nodes.asked(*init) == "there already: nothing to do\n"
        with nodes:
            nodes.asked("keys", "copy", "keys.json", url)
            port = free_port()
            (tmp_path / "haproxy.cfg").write_text(_here((COMPOSE / "haproxy.cfg").read_text(), nodes, port))
            balancer = subprocess.Popen([haproxy, "-f", tmp_path / "haproxy.cfg"])
            try:
                _roll(nodes, port)
            finally:
                balancer.kill()
                balancer.wait()
    finally:
        database.remove()


def _role(database):
    """Run the script as the image of PostgreSQL does."""
    variables = {"POSTGRES_USER": "postgres", "POSTGRES_DB": "postgres", "SERVER_PASSWORD": "it's \"secret\" $x"}
    path = str(postgres.program("psql")).rpartition("/")[0] + ":/usr/bin:/bin"
    subprocess.run(["sh", COMPOSE / "role.sh"], check=True, env={**variables, "PGHOST": database.folder, "PATH": path})

    async def role():
        connection = await asyncpg.connect(database.url)
        try:
            return await connection.fetchrow("SELECT rolpassword, rolsuper FROM pg_authid WHERE rolname = 'pb_link'")
        finally:
            await connection.close()

    password, powerful = asyncio.run(role())
    assert password.startswith("SCRAM-SHA-256") and not powerful


def _here(text, nodes, port):
    """Returns the balancer's settings with the addresses of this machine."""
    for before, after in (
        ("maxconn 20000", "maxconn 100"),  # which needs fewer open files
        ("bind :8123", f"bind 127.0.0.1:{port}"),
        (" check port 9123", " check"),
        (" resolvers names init-addr last,libc,none", ""),
        ("node-a:8123", f"127.0.0.1:{nodes.ports[0]} port {nodes.metrics[0]}"),
        ("node-b:8123", f"127.0.0.1:{nodes.ports[1]} port {nodes.metrics[1]}"),
    ):
        assert text.count(before) == 1
        text = text.replace(before, after)
    return text


def _roll(nodes, port):
    async def play(client):
        async def ready(at):
            while (await asyncio.to_thread(nodes.page, at, "/readyz"))[0] != 200:
                await asyncio.sleep(0.05)

        for at in range(2):
            await progress(client)
            await asyncio.to_thread(nodes.end, at)
            await progress(client)
            await asyncio.to_thread(nodes.start, at)
            await within(ready(at))
        await until(lambda: client.session.resumes >= 2, "a connection at the other server")

    check(nodes, asyncio.run(played(nodes, play, [port])))


@pytest.mark.parametrize("name", ["a", "b"])
def test_unit_is_one_that_systemd_takes(name, tmp_path, missing_tool):
    program = shutil.which("systemd-analyze")
    if program is None:
        missing_tool("systemd-analyze, of Debian's package systemd, is not installed")
    text = (SYSTEMD / "pb-link@.service").read_text()
    assert text.count("/opt/pb_link/bin/pb-link ") == 1
    (tmp_path / "pb-link@.service").write_text(text.replace("/opt/pb_link/bin/pb-link ", "/bin/echo "))
    unit = tmp_path / f"pb-link@{name}.service"
    unit.symlink_to(tmp_path / "pb-link@.service")
    done = subprocess.run([program, "verify", "--man=no", unit], capture_output=True, text=True)
    said = [line for line in done.stderr.splitlines() if "pb-link@" in line]
    assert done.returncode == 0 and not said, done.stderr


def test_settings_of_two_servers_on_one_machine_share_the_database_and_nothing_else():
    unit = (SYSTEMD / "pb-link@.service").read_text()
    one, two = (settings.read(str(SYSTEMD / f"{name}.toml")) for name in "ab")
    assert (one.store, one.keys, one.timeout_ms) == (two.store, two.keys, two.timeout_ms) and one.keys == "store"
    for own in ("node", "port", "metrics", "admin_socket"):
        assert getattr(one, own) != getattr(two, own)
    for found in (one, two):
        folder = re.search(r"^RuntimeDirectory=(\S+)$", unit, re.MULTILINE)[1].replace("%i", found.node)
        assert found.admin_socket == f"/run/{folder}/admin.sock"
