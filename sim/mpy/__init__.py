"""Bed *mpy*: boards are processes of real MicroPython, in real time; this process has the wires between them.

bed       boards and nets         board, board_target    a board's pins and bus, and its I2C target, as its process asks
frames    the link to a board     interpreters           which MicroPython runs a board, and how it is started
i2c_drive transfers in real time  watchdog               a board's watchdog timer
esp8266   the chip as a part      tcp                    its connections, through this computer's network
link_bed  the link's two boards   flash_image            the flash that a bridge boots from
boards/   stand-ins for the modules of a board, which run in its process
one_board, up, counted_run, demo  the commands; server_process runs the server beside them
boot_loader                       the ESP8266's boot loader behind a pseudo-terminal, for esptool
"""
