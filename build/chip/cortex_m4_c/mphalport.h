// Time, which only border.c lets pass. Whoever waits lets the time pass for which he waits.

#include <stdint.h>

extern uint64_t border_now_us;
void border_wait_ms(int timeout_ms);

#define MICROPY_INTERNAL_WFE(timeout_ms) border_wait_ms(timeout_ms)

static inline void mp_hal_set_interrupt_char(int c) {
    (void)c;
}
