// Time (border_time.h). Whoever waits lets the time pass for which he waits.

#include <stdint.h>

#include "border_time.h"

#define MICROPY_INTERNAL_WFE(timeout_ms) border_wait_ms(timeout_ms)

static inline void mp_hal_set_interrupt_char(int c) {
    (void)c;
}
