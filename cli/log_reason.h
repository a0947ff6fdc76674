/* log_reason.h - why a program ended, of what it wrote to its log or to us. */
#ifndef CLI_LOG_REASON_H
#define CLI_LOG_REASON_H
#include <stddef.h>
#include <sys/types.h>

/*
 * The last line of text that tells of a failure, "" when there is none: of objects (base/log.h, cli_fail()) the sentence,
 * unless their level is another than error; any other line as it stands. It steers no terminal. text is used up.
 */
void log_reason(char *text, char *reason, size_t size);

/* The same of the end of a file, from start on. */
void log_reason_of_file(const char *path, off_t start, char *reason, size_t size);

/* The same of all that comes until the other end is closed. */
void log_reason_of_pipe(int fd, char *reason, size_t size);
#endif
