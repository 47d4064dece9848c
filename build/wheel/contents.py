"""The content of the wheel, and the names in it."""

import shutil

from build.wheel.imports import TOP, rewritten

PACKAGES = ("protocol", "primitives", "i2c_devices", "sensor_bus", "remote_i2c", "server", "esp_link", "sim")
SOURCES = (".py", ".pyi")
DATA = ("types.json", "uPlot.LICENSE")  # files that modules read, and licences of what is not ours, by name
SERVED = (".js", ".mjs", ".html", ".css")  # files that a door serves
FACADES = ("server.py", "server.pyi")  # of the checkout's pb_link: in the wheel a package has its place


def write(root, folder):
    """Write the wheel's files below folder. root: the checkout."""
    sources = {f"{TOP}/{path.name}": path for path in sorted((root / TOP).iterdir()) if path.name not in FACADES}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            sources[f"{TOP}/{path.relative_to(root)}"] = path
    taken = (*SOURCES, *SERVED, ".typed")
    sources = {name: path for name, path in sources.items() if path.suffix in taken or path.name in DATA}
    modules = _modules([path.relative_to(root) for path in sources.values() if path.parent.name != TOP])
    for name, path in sources.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in SOURCES:
            text = path.read_text(encoding="utf-8")
            target.write_text(rewritten(text, modules, name), encoding="utf-8")
        else:
            shutil.copyfile(path, target)


def _modules(paths):
    """Returns the dotted names of these sources and of their folders: not every package has an __init__.py."""
    names = set()
    for path in paths:
        parts = path.with_suffix("").parts
        names |= {".".join(parts[:count]) for count in range(1, len(parts) + 1)}
    return names
