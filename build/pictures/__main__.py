"""`make pictures`: draw the pictures of docs/pictures/.

    python3 -m build.pictures [--record] [--web-page] [--check]
"""

import argparse
import sys

from build.pictures import demo, overview, record
from build.pictures.svg import PALETTES
from build.tools.cache import ROOT
from build.tools.shell import BuildError, say

FOLDER = ROOT / "docs" / "pictures"


def pictures(run):
    """Returns {name of a file in docs/pictures/: its text}. run: the record of a demo."""
    found = {}
    for name, palette in PALETTES.items():
        found[f"overview-{name}.svg"] = overview.overview(palette)
        found[f"demo-{name}.svg"] = demo.animation(run, palette)
    return found


def differing(found, folder=FOLDER):
    """Returns the names of those whose file is not what was drawn."""
    return [
        name
        for name, content in found.items()
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != content
    ]


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Draw docs/pictures/, of kept records of real runs.")
    parser.add_argument("--record", action="store_true", help="run the demo first, and keep what it prints")
    parser.add_argument("--web-page", action="store_true", help="run make demo-web, and photograph docs/web-page.png")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file would change")
    options = parser.parse_args(arguments)
    try:
        if options.record:
            record.keep(record.record())
        if options.web_page:
            from build.pictures import web_page  # which needs Chromium and Pillow

            web_page.keep()
        found = pictures(record.kept())
    except (BuildError, ValueError) as error:
        say(f"pictures: {error}")
        return 1
    for name in differing(found):
        if options.check:
            say(f"docs/pictures/{name} is not what build/pictures draws. Run `make pictures`.")
            return 1
        (FOLDER / name).write_text(found[name], encoding="utf-8")
        print(f"wrote  docs/pictures/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
