// Tensilica's simcall: the call in a2, its arguments from a3 on, the result in a2.

#include "semihosting.h"

enum { EXIT = 1, READ = 3, WRITE = 4, OPEN = 5, CLOSE = 6, ARGC = 1000, ARGV_SIZE = 1001, ARGV = 1002 };

static int call(int number, int a, int b, int c) {
    register int a2 __asm__ ("a2") = number;
    register int a3 __asm__ ("a3") = a;
    register int a4 __asm__ ("a4") = b;
    register int a5 __asm__ ("a5") = c;
    __asm__ volatile ("simcall" : "+r" (a2), "+r" (a3) : "r" (a4), "r" (a5) : "memory");
    return a2;
}

int host_open(const char *path) {
    return call(OPEN, (int)path, 0, 0);
}

int host_read(int file, void *buffer, size_t size) {
    return call(READ, file, (int)buffer, size);
}

void host_close(int file) {
    call(CLOSE, file, 0, 0);
}

void host_print(const char *text, size_t size) {
    call(WRITE, 1, (int)text, size);
}

int host_arguments(char *buffer, size_t size) {
    if ((size_t)call(ARGV_SIZE, 0, 0, 0) > size) {
        return -1;
    }
    call(ARGV, (int)buffer, 0, 0);
    return call(ARGC, 0, 0, 0);
}

void host_exit(int status) {
    call(EXIT, status, 0, 0);
    for (;;) {
    }
}
