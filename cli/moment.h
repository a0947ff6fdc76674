/* moment.h - milliseconds since 1970 as people in this time zone read them. */
#ifndef CLI_MOMENT_H
#define CLI_MOMENT_H
#include <stdint.h>

#define MOMENT_SIZE 32

/* "2026-11-29 12:46", or "-" when it is none. Returns text. */
const char *moment_format(int64_t ms, char text[MOMENT_SIZE]);
#endif
