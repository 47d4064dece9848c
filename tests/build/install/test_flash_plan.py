"""What is to be flashed: MicroPython's firmware from a file or an address, and our images, are looked at first."""

import http.server
import os
import subprocess
import sys
import threading

import pytest

from build.install import flash_plan
from build.tools.shell import BuildError
from sim.mpy import flash_image
from tests.build.install.made_firmware import micropython


def test_micropythons_own_maker_of_firmware_makes_what_is_accepted(micropython_source, tmp_path):
    whole = micropython()
    (tmp_path / "ram").write_bytes(whole[: 8 + 8 + 256 + 16])
    (tmp_path / "rom").write_bytes(whole[0x9000:-16])
    maker = os.path.join(micropython_source, "ports/esp8266/makeimg.py")
    subprocess.run([sys.executable, maker, "ram", "rom", "firmware"], cwd=tmp_path, check=True, capture_output=True)
    made = (tmp_path / "firmware").read_bytes()
    assert flash_plan.check_micropython(made, flash_plan.Manifest()) == (1, 25, 0)


def test_firmware_comes_from_an_address(monkeypatch):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            found = self.path.endswith(".bin") and self.path != "/gone.bin"
            self.send_response(200 if found else 404)
            if self.path == "/short.bin":
                self.send_header("Content-Length", "99999")
            self.end_headers()
            self.wfile.write(micropython() if found else b"")

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert flash_plan.read_micropython(f"{address}/good.bin") == micropython()
        with pytest.raises(BuildError, match="404"):
            flash_plan.read_micropython(f"{address}/gone.bin")
        with pytest.raises(BuildError, match="before its end"):
            flash_plan.read_micropython(f"{address}/short.bin")
        with pytest.raises(BuildError, match="cannot be fetched: .*control characters"):
            flash_plan.read_micropython(f"{address}/two words.bin")
        monkeypatch.setattr(flash_plan, "READ_BYTES", 1000)
        assert len(flash_plan.read_micropython(f"{address}/good.bin")) == 1000
        server.shutdown()
    with pytest.raises(BuildError, match="Is the network up"):
        flash_plan.read_micropython(f"{address}/good.bin")


def test_damaged_image_of_ours_is_not_flashed(tmp_path):
    for path in flash_image.FIRMWARE.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "esp_link.romfs").write_bytes(b"half")
    with pytest.raises(BuildError, match="esp_link.romfs is not what the manifest says.*git checkout"):
        flash_plan.Manifest(tmp_path)
    (tmp_path / "esp_link.romfs").unlink()
    with pytest.raises(BuildError, match="incomplete"):
        flash_plan.Manifest(tmp_path)


@pytest.mark.parametrize("text", ["[]", "7", "null", '{"images": 7}', '{"images": [7]}', '{"images": [{"file": 7}]}'])
def test_manifest_that_is_no_manifest_is_a_line(text, tmp_path):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(BuildError, match="is incomplete .*git checkout -- firmware"):
        flash_plan.Manifest(tmp_path)
