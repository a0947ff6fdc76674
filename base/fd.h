/*
 * fd.h - whole reads and writes, flags and counts of file descriptors.
 *
 * Every fd in Hearth is close-on-exec from birth; nothing here undoes that by itself.
 */
#ifndef BASE_FD_H
#define BASE_FD_H
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"

/* Read until size bytes, end of file or an error. Returns the bytes read, or -errno. EINTR is retried. */
ssize_t fd_read_full(int fd, void *buffer, size_t size);

/* Write all of it. 0 or -errno. */
int fd_write_full(int fd, const void *data, size_t size);

/* 0 or -errno. */
int fd_set_nonblocking(int fd, bool on);

/* Highest fd number open in this process plus one is not needed: the count of open fds, or -errno. */
int fd_count_open(void);
#endif
