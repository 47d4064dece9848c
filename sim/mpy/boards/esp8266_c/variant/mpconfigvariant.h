// The unix port's standard interpreter, with what the ESP8266's firmware has and without what it lacks.
// Source: ports/esp8266/mpconfigport.h.

#include "variants/standard/mpconfigvariant.h"

#define MICROPY_PY_SYS_PLATFORM "esp8266"
#define MICROPY_PY_SYS_PATH_DEFAULT ".frozen"

// What a program on the chip cannot use, although the same version offers it elsewhere.
#define MICROPY_COMP_MODULE_CONST (0)
#define MICROPY_COMP_TRIPLE_TUPLE_ASSIGN (0)
#define MICROPY_COMP_RETURN_IF_EXPR (0)
#define MICROPY_PY_BUILTINS_COMPLEX (0)
#define MICROPY_PY_CMATH (0)
#define MICROPY_PY_DELATTR_SETATTR (0)
#define MICROPY_PY_BUILTINS_STR_CENTER (0)
#define MICROPY_PY_BUILTINS_STR_PARTITION (0)
#define MICROPY_PY_BUILTINS_STR_SPLITLINES (0)
#define MICROPY_PY_BUILTINS_SLICE_INDICES (0)
#define MICROPY_PY_BUILTINS_COMPILE (0)
#define MICROPY_PY_BUILTINS_EXECFILE (0)
#define MICROPY_PY_BUILTINS_NOTIMPLEMENTED (0)
#define MICROPY_PY_BUILTINS_POW3 (0)
#define MICROPY_PY___FILE__ (0)
#define MICROPY_PY_MATH_CONSTANTS (0)
#define MICROPY_PY_MATH_SPECIAL_FUNCTIONS (0)
#define MICROPY_PY_MATH_FACTORIAL (0)
#define MICROPY_PY_MATH_ISCLOSE (0)
#define MICROPY_PY_BINASCII_CRC32 (0)
#define MICROPY_PY_RANDOM_EXTRA_FUNCS (0)
#undef MICROPY_ERROR_REPORTING
#define MICROPY_ERROR_REPORTING (MICROPY_ERROR_REPORTING_NORMAL)

// micropython.alloc_emergency_exception_buf() takes its buffer from the heap.
#undef MICROPY_EMERGENCY_EXCEPTION_BUF_SIZE
#define MICROPY_EMERGENCY_EXCEPTION_BUF_SIZE (0)

// `machine` is simmachine.c's; the methods of an I2C controller are MicroPython's own, over a protocol of ours.
#undef MICROPY_PY_MACHINE
#undef MICROPY_PY_MACHINE_PULSE
#undef MICROPY_PY_MACHINE_PIN_BASE
#define MICROPY_PY_MACHINE (0)
#define MICROPY_PY_MACHINE_PULSE (0)
#define MICROPY_PY_MACHINE_PIN_BASE (0)
#define MICROPY_PY_MACHINE_I2C (1)
#define MICROPY_PY_MACHINE_I2C_TRANSFER_WRITE1 (1)

// An atomic section keeps interrupts out: here the signal that tells that the wire process has sent something.
unsigned simchip_interrupts_off(void);
void simchip_interrupts_restore(unsigned were_on);
#define MICROPY_BEGIN_ATOMIC_SECTION() simchip_interrupts_off()
#define MICROPY_END_ATOMIC_SECTION(state) simchip_interrupts_restore(state)
#define MICROPY_SCHEDULER_STATIC_NODES (1)
#define MICROPY_SCHEDULER_DEPTH (4)
