# os.dupterm for MicroPython's unix port, as boards have it: see terminal.c.
SRC_USERMOD_C += $(USERMOD_DIR)/terminal.c
CFLAGS_USERMOD += -I$(USERMOD_DIR)
LDFLAGS_USERMOD += -Wl,--wrap=mp_hal_stdin_rx_chr -Wl,--wrap=mp_hal_set_interrupt_char
