# The chip has no threads, and its interrupts only schedule: so does this interpreter's signal handler.
MICROPY_PY_THREAD = 0
# `socket` is simlwip.c's.
MICROPY_PY_SOCKET = 0
