// The time of the device and of its environment: see border_time.h.

#include "py/mphal.h"

uint64_t border_now_us;

void border_wait_ms(int timeout_ms) {
    if (timeout_ms > 0) {
        border_now_us += (uint64_t)timeout_ms * 1000;
    }
}

mp_uint_t mp_hal_ticks_us(void) {
    return border_now_us;
}

mp_uint_t mp_hal_ticks_ms(void) {
    return border_now_us / 1000;
}

mp_uint_t mp_hal_ticks_cpu(void) {
    return border_now_us;
}

uint64_t mp_hal_time_ns(void) {
    return border_now_us * 1000;
}

void mp_hal_delay_us(mp_uint_t us) {
    border_now_us += us;
}

void mp_hal_delay_ms(mp_uint_t ms) {
    border_wait_ms(ms);
}
