"""Commands for the developer's machine: find, build, freeze, flash, measure. Nothing else imports this package.

At the top is what a command line or a manifest of a user names, and no code: launchers, manifest.py (the bridge's
classic firmware), manifest_client.py (the client, for firmware of one's own). The code is in the folders.
tools     what the others need: MicroPython found or built, Debian's packages, the cache, other programs
images    what `make firmware` writes: the images in firmware/, the diagrams in docs/; and the classic firmware
install   to a board: the client's package, deploy, flash
bench     `make bench`
"""
