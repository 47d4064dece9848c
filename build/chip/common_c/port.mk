# The head of the ports' Makefiles: what both take from MicroPython, and the options that both compile with. A port sets
# CROSS_COMPILE and MICROPY_VFS_LFS2 first, and adds options of its own behind. make is called with MPTOP, the folder of
# MicroPython's source, and the variables that build/chip/emulated.py sets.

TOP := $(MPTOP)

include $(TOP)/py/mkenv.mk

QSTR_DEFS = qstrdefsport.h
MICROPY_ROM_TEXT_COMPRESSION ?= 1
MICROPY_VFS_FAT = 0
MICROPY_VFS_LFS1 = 0

include $(TOP)/py/py.mk
include $(TOP)/extmod/extmod.mk

INC += -I. -I../common_c -I$(TOP) -I$(BUILD)
COPT ?= -Os -DNDEBUG
CFLAGS += $(INC) -Wall -Wpointer-arith -Werror -Wdouble-promotion -std=gnu99 -nostdlib -fsingle-precision-constant
CFLAGS += $(COPT) -fdata-sections -ffunction-sections
LIBS = $(shell $(CC) $(CFLAGS) -print-libgcc-file-name)

vpath %.c ../common_c
