// MicroPython's console: prints on the host's stdout, and reads nothing.

#include "py/mphal.h"
#include "semihosting.h"

mp_uint_t mp_hal_stdout_tx_strn(const char *text, size_t size) {
    host_print(text, size);
    return size;
}

int mp_hal_stdin_rx_chr(void) {
    return -1;
}

uintptr_t mp_hal_stdio_poll(uintptr_t flags) {
    (void)flags;
    return 0;
}
