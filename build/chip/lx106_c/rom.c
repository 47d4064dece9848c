// What libgcc leaves to the chip's ROM: arithmetic of 64 bits (that of 32 bits is in division.S). Floating point is not
// here: the bridge has none, and a program that has ends with an error.

#include <stdint.h>
#include <string.h>

#include "semihosting.h"

uint64_t __udivmoddi4(uint64_t a, uint64_t b, uint64_t *rest);

uint64_t __udivdi3(uint64_t a, uint64_t b) {
    return __udivmoddi4(a, b, NULL);
}

uint64_t __umulsidi3(uint32_t a, uint32_t b) {
    uint32_t a0 = a & 0xffff, a1 = a >> 16, b0 = b & 0xffff, b1 = b >> 16;
    uint32_t low = a0 * b0, middle = a1 * b0 + (low >> 16), middle2 = a0 * b1 + (middle & 0xffff);
    uint32_t high = a1 * b1 + (middle >> 16) + (middle2 >> 16);
    return (uint64_t)high << 32 | (middle2 << 16 | (low & 0xffff));
}

int64_t __muldi3(int64_t a, int64_t b) {
    uint32_t high = (uint32_t)a * (uint32_t)(b >> 32) + (uint32_t)(a >> 32) * (uint32_t)b;
    return __umulsidi3(a, b) + ((uint64_t)high << 32);
}

static void __attribute__((used)) no_floats(void) {
    static const char text[] = "This build has no floating point: leave it out, or add it to rom.c.\n";
    host_print(text, sizeof(text) - 1);
    host_exit(5);
}

#define NO_FLOATS(name) void name(void) __attribute__((alias("no_floats")))
NO_FLOATS(__addsf3);
NO_FLOATS(__subsf3);
NO_FLOATS(__mulsf3);
NO_FLOATS(__floatsisf);
NO_FLOATS(__floatunsisf);
NO_FLOATS(__fixunssfsi);
NO_FLOATS(__extendsfdf2);
NO_FLOATS(__truncdfsf2);
NO_FLOATS(__floatsidf);
