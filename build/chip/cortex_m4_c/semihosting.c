// Arm's semihosting calls: a breakpoint 0xAB, the call in r0, the address of its arguments in r1.

#include <string.h>

#include "semihosting.h"

enum { OPEN = 0x01, CLOSE = 0x02, WRITE = 0x05, READ = 0x06, COMMAND_LINE = 0x15, EXIT = 0x20 };
enum { MODE_READ = 1, MODE_WRITE = 4 };

static int call(uint32_t number, const void *arguments) {
    register uint32_t r0 __asm__ ("r0") = number;
    register const void *r1 __asm__ ("r1") = arguments;
    __asm__ volatile ("bkpt 0xab" : "+r" (r0) : "r" (r1) : "memory");
    return r0;
}

static int open_as(const char *path, uint32_t mode) {
    uint32_t arguments[] = {(uint32_t)path, mode, strlen(path)};
    return call(OPEN, arguments);
}

int host_open(const char *path) {
    return open_as(path, MODE_READ);
}

size_t host_read(int file, void *buffer, size_t size) {
    uint32_t arguments[] = {file, (uint32_t)buffer, size};
    int missing = call(READ, arguments);
    return missing < 0 || (size_t)missing > size ? 0 : size - missing;
}

void host_close(int file) {
    uint32_t arguments[] = {file};
    call(CLOSE, arguments);
}

void host_print(const char *text, size_t size) {
    static int file = -1;
    if (file < 0) {
        file = open_as(":tt", MODE_WRITE);
    }
    uint32_t arguments[] = {file, (uint32_t)text, size};
    call(WRITE, arguments);
}

int host_arguments(char *buffer, size_t size) {
    uint32_t arguments[] = {(uint32_t)buffer, size};
    return call(COMMAND_LINE, arguments);
}

void host_exit(int status) {
    uint32_t arguments[] = {0x20026, status};  // the application has ended by itself
    call(EXIT, arguments);
    for (;;) {
    }
}
