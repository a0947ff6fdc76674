/*
 * open.h - how a file worker opens what a client, or a link that a program has planted, names.
 *
 * A worker is a fork of PID 1: its own directory of /proc leads to the host's program that it runs and
 * tells where it lies in memory. Neither is for those inside, nor for those who ask from outside.
 */
#ifndef NSJAIL_LITE_GUEST_OPEN_H
#define NSJAIL_LITE_GUEST_OPEN_H
#include <sys/stat.h>

/* As openat(2) without O_CREAT and with O_CLOEXEC: an fd, or -1 and errno. */
int open_guarded(int directory, const char *path, int flags);

/*
 * The file that an O_PATH descriptor names, for reading, if it is a regular one; -1 may be handed in. An
 * fd, or -1 and errno: EISDIR, or EINVAL for what is neither. Nothing else is opened for reading, not even
 * for a moment: whoever waits for a FIFO's reader in open(2) would go on, and lose what it writes.
 */
int open_regular(int named, struct stat *ret_stat);
#endif
