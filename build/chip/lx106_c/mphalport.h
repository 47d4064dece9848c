// Time (border_time.h), and pins as ports/esp8266/esp_mphal.h has them for machine.SoftI2C.

#include <stdint.h>

#include "border_time.h"

// As ports/esp8266/xtirq.h
static inline uint32_t esp_disable_irq(void) {
    uint32_t state;
    __asm__ volatile ("rsil %0, 15" : "=a" (state));
    return state;
}

static inline void esp_enable_irq(uint32_t state) {
    __asm__ volatile ("wsr %0, ps; rsync" : : "a" (state));
}

#define MICROPY_BEGIN_ATOMIC_SECTION() esp_disable_irq()
#define MICROPY_END_ATOMIC_SECTION(state) esp_enable_irq(state)

static inline void mp_hal_set_interrupt_char(int c) {
    (void)c;
}

#define mp_hal_pin_obj_t uint32_t
#define MP_HAL_PIN_FMT "%u"
uint32_t chip_pin(void *object);
int pin_get(uint32_t pin);
void gpio_output_set(uint32_t set, uint32_t clear, uint32_t enable, uint32_t disable);
#define mp_hal_get_pin_obj(o) chip_pin(o)
#define mp_hal_pin_name(p) (p)
#define mp_hal_pin_open_drain(p) ((void)(p))
#define mp_hal_pin_od_low(p) gpio_output_set(0, 1 << (p), 1 << (p), 0)
#define mp_hal_pin_od_high(p) gpio_output_set(0, 0, 0, 1 << (p))
#define mp_hal_pin_read(p) pin_get(p)

// What the pauses of machine.SoftI2C would add is not computing.
#define mp_hal_delay_us_fast(us) ((void)(us))
