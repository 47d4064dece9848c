// What the emulator does for the program: the host's files, its stdout, the command line, the end.

#include <stddef.h>
#include <stdint.h>

int host_open(const char *path);  // < 0: there is no such file
int host_read(int file, void *buffer, size_t size);  // <= 0: the end, or an error
void host_close(int file);
void host_print(const char *text, size_t size);
int host_arguments(char *buffer, size_t size);  // returns their number: buffer is argv; < 0: they do not fit
void host_exit(int status) __attribute__((noreturn));
