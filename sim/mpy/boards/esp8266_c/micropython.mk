# The ESP8266's own modules for the bridge's interpreter, as a user module of MicroPython's unix port. It wants the
# configuration in variant/ (VARIANT_DIR).
SRC_USERMOD_C += $(USERMOD_DIR)/simchip.c $(USERMOD_DIR)/simmachine.c $(USERMOD_DIR)/simnet.c \
	$(USERMOD_DIR)/simlwip.c $(USERMOD_DIR)/simflash.c
CFLAGS_USERMOD += -I$(USERMOD_DIR)
# The interpreter's delays call this function of the C library: simchip.c stands before it.
LDFLAGS_USERMOD += -Wl,--wrap=usleep -lrt
# MicroPython's own file, which this port does not compile otherwise, is not clean under the port's -Wextra.
$(BUILD)/extmod/machine_i2c.o: CFLAGS += -Wno-sign-compare
