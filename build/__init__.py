"""Commands for the developer's machine: find, build, freeze, flash, measure. Nothing else imports this package.

The top folder has what a command line or a user's manifest names, and no further code: launchers, manifest.py (the
bridge's classic firmware), manifest_client.py (the client, for your own firmware). The code is in the folders.
tools     used by the others: MicroPython found or built, Debian's packages, the cache, other programs
images    written by `make firmware`: the images in firmware/, the diagrams in docs/; and the classic firmware
install   to a board: the client's package, deploy, flash
bench     `make bench`
"""
