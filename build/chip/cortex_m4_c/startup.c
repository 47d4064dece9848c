// From reset to main(): the emulator has loaded all sections to where they are used, and zeroed the memory.

#include <stdint.h>

#include "semihosting.h"

extern uint32_t _estack;
int main(void);

#define CPACR (*(volatile uint32_t *)0xe000ed88)

__attribute__((noreturn)) static void fault(void) {
    static const char text[] = "The processor has met a fault.\n";
    host_print(text, sizeof(text) - 1);
    host_exit(3);
}

__attribute__((noreturn)) void reset(void) {
    CPACR |= 0xf << 20;  // the floating-point unit
    __asm__ volatile ("dsb\n\tisb");
    host_exit(main());
}

__attribute__((section(".isr_vector"), used)) static const void *const vectors[16] = {
    &_estack, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault,
};
