# The module `border` of border.c, as a user module of MicroPython's unix port.
SRC_USERMOD_C += $(USERMOD_DIR)/border.c
CFLAGS_USERMOD += -I$(USERMOD_DIR)
# All that asks for the time, and all that waits, asks border.c.
LDFLAGS_USERMOD += -Wl,--wrap=clock_gettime -Wl,--wrap=gettimeofday -Wl,--wrap=poll
