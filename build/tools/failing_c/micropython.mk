# The module `allocations` of allocations.c, as a user module of MicroPython's unix port.
SRC_USERMOD_C += $(USERMOD_DIR)/allocations.c
CFLAGS_USERMOD += -I$(USERMOD_DIR)
# All that allocates asks allocations.c, but for what gc.c calls itself.
LDFLAGS_USERMOD += -Wl,--wrap=gc_alloc -Wl,--wrap=gc_realloc
