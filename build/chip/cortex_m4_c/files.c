// import reads files of the host, below the folder in which the emulator runs. What ends in .py or .mpy is a file, and
// all else a folder.

#include <string.h>

#include "py/builtin.h"
#include "py/lexer.h"
#include "py/mperrno.h"
#include "py/reader.h"
#include "py/runtime.h"
#include "semihosting.h"

typedef struct {
    int file;
    size_t length;
    size_t at;
    byte buffer[64];
} host_reader_t;

static mp_uint_t read_byte(void *data) {
    host_reader_t *self = data;
    if (self->at >= self->length) {
        self->length = host_read(self->file, self->buffer, sizeof(self->buffer));
        self->at = 0;
        if (self->length == 0) {
            return MP_READER_EOF;
        }
    }
    return self->buffer[self->at++];
}

static void close_file(void *data) {
    host_reader_t *self = data;
    host_close(self->file);
    m_del_obj(host_reader_t, self);
}

void mp_reader_new_file(mp_reader_t *reader, qstr name) {
    int file = host_open(qstr_str(name));
    if (file < 0) {
        mp_raise_OSError(MP_ENOENT);
    }
    host_reader_t *self = m_new_obj(host_reader_t);
    self->file = file;
    self->length = self->at = 0;
    reader->data = self;
    reader->readbyte = read_byte;
    reader->close = close_file;
}

mp_lexer_t *mp_lexer_new_from_file(qstr name) {
    mp_reader_t reader;
    mp_reader_new_file(&reader, name);
    return mp_lexer_new(name, reader);
}

static bool ends_in(const char *path, const char *end) {
    size_t length = strlen(path), of_end = strlen(end);
    return length >= of_end && strcmp(path + length - of_end, end) == 0;
}

mp_import_stat_t mp_import_stat(const char *path) {
    int file = host_open(path);
    if (file < 0) {
        return MP_IMPORT_STAT_NO_EXIST;
    }
    host_close(file);
    return ends_in(path, ".py") || ends_in(path, ".mpy") ? MP_IMPORT_STAT_FILE : MP_IMPORT_STAT_DIR;
}

// The builtin `open`, for which there are no files: a program reads nothing but modules.
static mp_obj_t open_nothing(size_t count, const mp_obj_t *arguments, mp_map_t *keywords) {
    (void)count;
    (void)arguments;
    (void)keywords;
    mp_raise_OSError(MP_ENODEV);
}
MP_DEFINE_CONST_FUN_OBJ_KW(mp_builtin_open_obj, 1, open_nothing);
