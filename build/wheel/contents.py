"""What the wheel holds, and under which names."""

import shutil

from build.wheel.imports import TOP, rewritten

PACKAGES = ("protocol", "primitives", "i2c_devices", "server", "esp_link", "sim")
FACADES = ("server.py",)  # of the checkout's pb_link: in the wheel a package has its place


def write(root, folder):
    """Write the wheel's files below folder. root: the checkout."""
    sources = {f"{TOP}/{path.name}": path for path in sorted((root / TOP).iterdir()) if path.name not in FACADES}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            sources[f"{TOP}/{path.relative_to(root)}"] = path
    sources = {name: path for name, path in sources.items() if path.suffix in (".py", ".typed")}
    modules = {_module(name) for name in sources if "/" in name.removeprefix(f"{TOP}/")} | set(PACKAGES)
    for name, path in sources.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".py":
            text = path.read_text(encoding="utf-8")
            target.write_text(rewritten(text, modules, name), encoding="utf-8")
        else:
            shutil.copyfile(path, target)


def _module(name):
    """The checkout's name of a module: "server.listener" for "pb_link/server/listener.py"."""
    return name.removeprefix(f"{TOP}/").removesuffix(".py").replace("/", ".").removesuffix(".__init__")
