"""The tests mirror the sources: tests/sim/wires/test_wire.py tests sim/wires/wire.py. Others are listed."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FOLDERS = (
    "sim", "build", "server", "protocol", "primitives", "i2c_devices", "pb_link", "esp_link", "sensor_bus", "remote_i2c"
)  # fmt: skip

# These run on boards, and beds with boards in them test them; manifests are read by MicroPython.
NOT_IMPORTED = re.compile(r"sim/mpy/boards/|build/images/on_chip/|.*/manifest\w*\.py|.*/__init__\.py")

# source: the file that tests it, since it does nothing by itself, or nothing without others.
TESTED_IN = {
    "server/gateways/private_file.py": "tests/server/service/test_key_file.py",
    "server/stores/batched.py": "tests/server/stores/test_contract.py",
    "server/stores/postgres_database.py": "tests/server/stores/test_postgres.py",
    "server/stores/postgres_record.py": "tests/server/stores/test_postgres.py",
    "server/stores/postgres_statements.py": "tests/server/stores/test_postgres.py",
    "server/stores/postgres_schema.py": "tests/server/stores/test_postgres_admin.py",
    "server/service/store_checkup.py": "tests/server/service/test_checkup.py",
    "server/service/finding.py": "tests/server/service/test_doctor.py",
    "server/service/keys_command.py": "tests/server/service/test_key_table.py",
    "server/stores/postgres_joining.py": "tests/server/stores/test_sharded.py",
    "server/stores/postgres_nodes.py": "tests/server/stores/test_postgres_admin.py",
    "server/stores/postgres_arrived.py": "tests/server/stores/test_postgres_mail.py",
    "server/stores/postgres_letters.py": "tests/server/stores/test_postgres_mail.py",
    "server/core/attached.py": "tests/server/core/test_shared.py",
    "server/core/others.py": "tests/server/core/test_shared.py",
    "server/core/sharing.py": "tests/server/core/test_shared.py",
    "server/stores/postgres_shards.py": "tests/server/stores/test_sharded.py",
    "server/stores/sharded_use.py": "tests/server/stores/test_sharded.py",
    "server/stores/limit.py": "tests/server/stores/test_contract.py",
    "server/stores/sqlite_timeline.py": "tests/server/stores/test_timeline.py",
    "server/stores/postgres_timeline.py": "tests/server/stores/test_timeline.py",
    "server/stores/postgres_copy.py": "tests/server/stores/test_copying.py",
    "server/core/channel.py": "tests/server/core/test_channels.py",
    # Commands, as a user types them.
    "sim/__main__.py": "tests/sim/mpy/test_counted_run.py",
    "sim/cli.py": "tests/sim/mpy/test_counted_run.py",
    "sim/apps/reporting_client.py": "tests/sim/mpy/test_web_demo.py",
    "sim/apps/answering.py": "tests/sim/mpy/test_web_demo.py",
    "sim/mpy/playground.py": "tests/sim/mpy/test_up.py",
    "sim/wires/spi.py": "tests/sim/mpy/test_peripherals.py",
    "sim/wires/world_file.py": "tests/sim/mpy/test_peripherals.py",
    "sim/mpy/plain_view.py": "tests/sim/mpy/test_up.py",
    "sim/mpy/trace_view.py": "tests/sim/mpy/test_up.py",
    "sim/mpy/shown.py": "tests/sim/mpy/test_screen.py",
    "sim/mpy/keyboard.py": "tests/sim/mpy/test_screen.py",
    "sim/mpy/fault_actions.py": "tests/sim/mpy/test_up.py",
    "sim/table.py": "tests/sim/mpy/test_demo.py",
    "build/client.py": "tests/build/test_launchers.py",
    # The wheel, built and installed.
    "build/wheel/contents.py": "tests/peers/test_install.py",
    "build/wheel/hook.py": "tests/peers/test_install.py",
    "build/deploy.py": "tests/build/test_launchers.py",
    "build/esp8266.py": "tests/build/test_launchers.py",
    "build/firmware.py": "tests/build/test_launchers.py",
    "build/flash.py": "tests/build/test_launchers.py",
    "build/micropython.py": "tests/build/test_launchers.py",
    "build/sensor_bus.py": "tests/build/test_launchers.py",
    "build/sensor_types.py": "tests/build/test_launchers.py",
    # A sensor bus is played as a whole.
    "sim/virtual/sensor_slots.py": "tests/sim/virtual/test_sensor_soak.py",
    "sensor_bus/access.py": "tests/sensor_bus/test_bus_slots.py",
    "sensor_bus/catalog.py": "tests/sensor_bus/test_records.py",
    "sensor_bus/changes.py": "tests/sensor_bus/test_bus.py",
    "sensor_bus/commands.py": "tests/sensor_bus/test_service.py",
    "sensor_bus/config_items.py": "tests/sensor_bus/test_config.py",
    "sensor_bus/device.py": "tests/sensor_bus/test_bus.py",
    "sensor_bus/errors.py": "tests/sensor_bus/test_bus.py",
    "sensor_bus/events.py": "tests/sensor_bus/test_bus.py",
    "sensor_bus/faults.py": "tests/sensor_bus/test_bus.py",
    "sensor_bus/lines.py": "tests/sensor_bus/test_port.py",
    "sensor_bus/recovery.py": "tests/sensor_bus/test_bus.py",
    "sensor_bus/requests.py": "tests/sensor_bus/test_bus.py",
    "sensor_bus/scanner.py": "tests/sensor_bus/test_bus.py",
    "sensor_bus/sizes.py": "tests/sensor_bus/test_steps.py",
    "sensor_bus/slot_access.py": "tests/sensor_bus/test_bus_muxes.py",
    "sensor_bus/slot_scanner.py": "tests/sensor_bus/test_bus_slots.py",
    "sensor_bus/ticks.py": "tests/sensor_bus/test_clock.py",
    "sensor_bus/subscriptions.py": "tests/sensor_bus/test_bus.py",
    "remote_i2c/errors.py": "tests/remote_i2c/test_shared.py",
    "remote_i2c/bus.py": "tests/remote_i2c/test_shared.py",
    **{
        f"remote_i2c/tools/{name}.py": "tests/remote_i2c/tools/test_tools.py"
        for name in ("detect", "dump", "get", "set", "transfer", "words")
    },
    "server/gateways/i2c/doors.py": "tests/server/gateways/i2c/test_gateway.py",
    # The page's rules are tested through its socket: each route, with each role, from each place.
    "server/gateways/web/access.py": "tests/server/gateways/web/test_gateway.py",
    "server/gateways/web/openapi_devices.py": "tests/server/gateways/web/test_openapi.py",
    "server/gateways/web/openapi_parts.py": "tests/server/gateways/web/test_openapi.py",
    "server/gateways/web/roles.py": "tests/server/gateways/web/test_gateway.py",
    "server/gateways/web/utc.py": "tests/server/gateways/web/test_with_clients.py",
    "server/gateways/web/routes.py": "tests/server/gateways/web/test_gateway.py",
    "protocol/i2c_messages.py": "tests/remote_i2c/test_client_messages.py",
    "remote_i2c/rpc/calls.py": "tests/remote_i2c/rpc/test_smbus_service.py",
    "remote_i2c/rpc/service.py": "tests/remote_i2c/rpc/test_smbus_service.py",
    "remote_i2c/rpc/smbus_pb2.py": "tests/build/tools/test_proto.py",
    "remote_i2c/rpc/smbus_rcp_pb2.py": "tests/build/tools/test_proto.py",
    # A door is tested through its sockets.
    "remote_i2c/web/access.py": "tests/remote_i2c/web/test_door.py",
    "remote_i2c/web/calls.py": "tests/remote_i2c/web/test_door.py",
    "remote_i2c/web/session.py": "tests/remote_i2c/web/test_door.py",
    "remote_i2c/web/serving.py": "tests/remote_i2c/web/test_door.py",
    # Programs of processes of their own.
    "sim/apps/counted_client.py": "tests/sim/mpy/test_counted_run.py",
    "sim/apps/counted_server.py": "tests/sim/mpy/test_counted_run.py",
    "build/bench/client_program.py": "tests/build/bench/test_counts.py",
    "build/bench/client_world.py": "tests/build/bench/test_counts.py",
    "build/bench/lwip.py": "tests/build/bench/test_counts.py",
    "build/bench/meter.py": "tests/build/bench/test_counts.py",
    "build/bench/relay_program.py": "tests/build/bench/test_counts.py",
    "build/chip/bridge_parts.py": "tests/build/chip/test_bridge.py",
    "build/chip/bridge_program.py": "tests/build/chip/test_bridge.py",
    "build/chip/bridge_world.py": "tests/build/chip/test_bridge.py",
    "build/chip/client_costs.py": "tests/build/chip/test_client.py",
    "build/chip/client_ram.py": "tests/build/chip/test_client.py",
    # A board of bed mpy is its process, the link to it, its pins and its target, together.
    "sim/mpy/board.py": "tests/sim/mpy/test_bed.py",
    "sim/mpy/board_target.py": "tests/sim/mpy/test_bed.py",
    "sim/mpy/frames.py": "tests/sim/mpy/test_bed.py",
    "sim/mpy/i2c_drive.py": "tests/sim/mpy/test_bed.py",
    "sim/mpy/interpreters.py": "tests/sim/mpy/test_one_board.py",
    "sim/mpy/link_bed.py": "tests/sim/mpy/test_selftest.py",
    "sim/mpy/server_process.py": "tests/sim/mpy/test_counted_run.py",
    "sim/mpy/watchdog.py": "tests/sim/mpy/test_esp8266.py",
    "sim/mpy/boot_loader.py": "tests/build/install/test_flash.py",
    # Bed virtual is played as a whole, under faults.
    "sim/virtual/chips.py": "tests/sim/virtual/test_lwip.py",
    "sim/virtual/disk.py": "tests/sim/virtual/test_restored_store.py",
    "sim/virtual/esp8266.py": "tests/sim/virtual/test_run.py",
    "sim/virtual/faults.py": "tests/sim/virtual/test_soak.py",
    "sim/virtual/link.py": "tests/sim/virtual/test_run.py",
    "sim/virtual/network.py": "tests/sim/virtual/test_lwip.py",
    "sim/virtual/pair.py": "tests/sim/virtual/test_i2c_devices.py",
    "sim/virtual/tcp.py": "tests/sim/virtual/test_lwip.py",
    "sim/virtual/tcp_ends.py": "tests/sim/virtual/test_lwip.py",
    "sim/virtual/sensor_kinds.py": "tests/sim/virtual/test_sensor_soak.py",
    "sim/virtual/sensor_scenes.py": "tests/sensor_bus/test_bus.py",
    "sim/trace.py": "tests/sim/virtual/test_exhaustive.py",
    # The server's own parts, which one bed plays together.
    "server/__main__.py": "tests/server/service/test_cli.py",
    "server/core/resuming.py": "tests/server/core/test_history.py",
    "server/core/store.py": "tests/server/stores/test_contract.py",
    "server/core/transport.py": "tests/server/core/test_abuse.py",
    "server/gateways/micropython_iot/gateway.py": "tests/server/gateways/micropython_iot/test_adapter.py",
    "server/gateways/micropython_iot/message_ids.py": "tests/server/gateways/micropython_iot/test_adapter.py",
    "server/gateways/micropython_iot/settings.py": "tests/server/gateways/micropython_iot/test_adapter.py",
    "server/gateways/mqtt/broker.py": "tests/server/gateways/mqtt/test_gateway.py",
    "server/gateways/mqtt/session.py": "tests/server/gateways/mqtt/test_line_session.py",
    # A device is played with its controller, in both engines; the mailbox's two sides are played together.
    "i2c_devices/byte_engine.py": "tests/i2c_devices/test_engines.py",
    "i2c_devices/memory_engine.py": "tests/i2c_devices/test_engines.py",
    "i2c_devices/guarded_engine.py": "tests/i2c_devices/test_engines.py",
    "i2c_devices/memory_controller.py": "tests/i2c_devices/test_memory.py",
    "i2c_devices/memory_target.py": "tests/i2c_devices/test_memory.py",
    "i2c_devices/device_controller.py": "tests/i2c_devices/test_behaviour.py",
    "i2c_devices/packet_controller.py": "tests/i2c_devices/test_behaviour.py",
    "i2c_devices/packet_target.py": "tests/i2c_devices/test_behaviour.py",
    "i2c_devices/stream_controller.py": "tests/i2c_devices/test_behaviour.py",
    "i2c_devices/stream_target.py": "tests/i2c_devices/test_behaviour.py",
    "i2c_devices/mailbox_controller.py": "tests/i2c_devices/test_mailbox.py",
    "i2c_devices/mailbox_target.py": "tests/i2c_devices/test_mailbox.py",
    "i2c_devices/pins.py": "tests/i2c_devices/test_ports.py",
    "i2c_devices/port_table.py": "tests/i2c_devices/test_ports.py",
    "i2c_devices/randomness.py": "tests/pb_link/test_repeating_generator.py",
    "sensor_bus/devbin.py": "tests/sensor_bus/test_publish.py",
    # One end of what is encoded is tested with the other.
    "protocol/config_record.py": "tests/protocol/test_control.py",
    "protocol/control_client.py": "tests/protocol/test_control.py",
    "protocol/channel_errors.py": "tests/protocol/test_errors.py",
    "protocol/link_errors.py": "tests/protocol/test_errors.py",
    "protocol/surrogates.py": "tests/protocol/test_text.py",
    "protocol/responder.py": "tests/protocol/test_handshake.py",
    "protocol/selftest.py": "tests/pb_link/test_selftest.py",
    "protocol/target_cells.py": "tests/protocol/test_mailbox.py",
    "primitives/waiting.py": "tests/primitives/test_timed_flag.py",
    # The programs of the boards, and what names their hardware.
    "esp_link/main.py": "tests/sim/mpy/test_esp8266.py",
    "esp_link/program.py": "tests/sim/mpy/test_esp8266.py",
    "esp_link/selftest.py": "tests/sim/mpy/test_selftest.py",
    "esp_link/start.py": "tests/sim/mpy/test_esp8266.py",
    "esp_link/tcp.py": "tests/sim/mpy/test_esp8266_c.py",
    "pb_link/config.py": "tests/pb_link/test_pins.py",
    "pb_link/fallbacks.py": "tests/sim/virtual/test_wake_ups.py",
    "pb_link/pb_client.py": "tests/peers/test_demo_server.py",
    "pb_link/s_app.py": "tests/peers/test_demo_server.py",
    "pb_link/start.py": "tests/pb_link/test_app_base.py",
    "pb_link/testing.py": "tests/peers/test_types.py",
    # Numbers, names and plain data, which others use.
    "pb_link/limits.py": "tests/protocol/test_parameters.py",
    "protocol/limits.py": "tests/protocol/test_parameters.py",
    "protocol/version.py": "tests/pb_link/test_release_check.py",
    "sim/root.py": "tests/sim/virtual/test_run.py",
    "sim/virtual/costs.py": "tests/sim/virtual/test_run.py",
    "sim/wires/lwip.py": "tests/sim/virtual/test_lwip.py",
    "sim/wires/pieces.py": "tests/sim/wires/test_wire.py",
    "sim/wires/wiring.py": "tests/build/images/test_diagrams.py",
    "build/bench/bars.py": "tests/build/bench/test_figures.py",
    # The other end of what is tested.
    "sim/wires/dns.py": "tests/esp_link/test_names.py",
    "build/bench/bed.py": "tests/build/bench/test_wire.py",
}


def mirrored(source):
    """The place of the test of a source file: of a/b/__main__.py it is tests/a/b/test_main.py."""
    folder, _, name = source.rpartition("/")
    return f"tests/{folder}/test_{name.removesuffix('.py').strip('_')}.py"


def strays(root, folders, tested_in):
    """Returns a line for each source file without a test, and for each entry of the list that is not needed."""
    found = (path.relative_to(root).as_posix() for folder in folders for path in (root / folder).rglob("*.py"))
    sources = {source for source in found if not NOT_IMPORTED.match(source)}
    for source in sorted(sources | set(tested_in)):
        own, listed = (root / mirrored(source)).exists(), tested_in.get(source)
        if listed is None and not own:
            yield f"{source}: there is no {mirrored(source)}"
        elif listed is not None and (own or source not in sources):
            yield f"{source}: has a test of its own, or is gone: take it off the list"
        elif listed is not None and not (root / listed).exists():
            yield f"{source}: there is no {listed}"


def test_each_module_has_a_test_in_its_place_or_says_where():
    found = list(strays(ROOT, FOLDERS, TESTED_IN))
    assert not found, "\n" + "\n".join(found)


def test_what_is_out_of_place_is_found(tmp_path):
    sources = ("sim/a.py", "sim/b.py", "sim/c.py", "sim/deep/__main__.py")
    for name in (*sources, "tests/sim/test_a.py", "tests/sim/deep/test_main.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert list(strays(tmp_path, ["sim"], {"sim/b.py": "tests/sim/test_a.py", "sim/c.py": "tests/sim/test_a.py"})) == []
    listed = {"sim/a.py": "tests/sim/test_a.py", "sim/b.py": "tests/gone.py", "sim/gone.py": "tests/sim/test_a.py"}
    assert [line.partition(":")[0] for line in strays(tmp_path, ["sim"], listed)] == [
        "sim/a.py", "sim/b.py", "sim/c.py", "sim/gone.py",
    ]
