# The client, in MicroPython's manifest language: to be included in the manifest of a board whose firmware is to have
# it frozen in. All that `import pb_link.pb_client` and `import pb_link.selftest` reach, and what programs import
# (tests/build/install/test_client_package.py looks). primitives/ has no __init__.py: others' has one, and ours must not
# replace it. client_package.py makes of this the lists of files that mip installs.
package(
    "i2c_devices",
    (
        "__init__.py", "mailbox_target.py", "memory_engine.py", "pins.py", "port_table.py", "ports.py",
    ),
    base_path="..",
)
package(
    "pb_link",
    (
        "__init__.py", "addresses.py", "app_base.py", "autostart.py", "bridge_reports.py", "bridge_watch.py",
        "channels.py", "config.py", "connection.py", "console.py", "console_input.py", "console_print.py",
        "failures.py", "fallbacks.py", "frame_log.py", "i2c_service.py", "limits.py", "link.py", "loading.py",
        "notifier.py", "pb_client.py", "reasons.py", "release_check.py", "requests.py", "runner.py", "selftest.py",
        "settings.py", "shortage.py", "start.py", "utc.py",
    ),
    base_path="..",
)  # fmt: skip
package(
    "primitives",
    (
        "broadcast.py", "finished.py", "nonces.py", "platform.py", "supervisor.py", "timed_flag.py", "timeout.py",
        "waiting.py",
    ),
    base_path="..",
)  # fmt: skip
package(
    "protocol",
    (
        "__init__.py", "bridge_reports.py", "channel.py", "channel_errors.py", "channel_receiver.py",
        "channel_records.py", "channel_sender.py", "channel_session.py", "channels.py", "config_record.py",
        "control.py", "control_client.py", "credentials.py", "digest.py", "errors.py", "frame.py", "frame_log.py",
        "frame_reader.py", "framing.py", "handshake.py", "i2c_messages.py", "limits.py", "lines.py", "link_errors.py",
        "mailbox.py", "receive_space.py", "receiver.py", "requests.py", "selftest.py", "sender.py", "sequence.py",
        "session.py", "strict_json.py", "surrogates.py", "target_cells.py", "text.py", "time_messages.py",
        "version.py",
    ),
    base_path="..",
)  # fmt: skip
