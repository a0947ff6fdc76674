/*
 * run_file.h - a small text file of /run that all instances of the host share, read and replaced under a lock. It is
 * root's alone: whoever could read it could lock it.
 */
#ifndef NSJAIL_LITE_RUN_FILE_H
#define NSJAIL_LITE_RUN_FILE_H
#include <stddef.h>

struct error;

/*
 * Make it if need be, wait for its lock, and read all of it; what is beyond size - 1 bytes is left out. The lock goes
 * with the fd, which is returned, or -errno; -EBUSY: somebody else has it for seconds.
 */
int run_file_open(const char *name, char *text, size_t size, struct error *err);

/* Under the lock: replaced in one step, so that whoever is killed here loses nobody's line. */
int run_file_write(const char *name, const char *text, size_t size, struct error *err);
#endif
