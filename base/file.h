/*
 * file.h - small files by (directory fd, name): kernel knobs, manifests, state.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H
#include <stddef.h>
#include <sys/types.h>

struct error;

/*
 * Read at most size - 1 bytes and terminate them. Returns the length, or -errno; -EFBIG when the
 * file holds more. dirfd may be AT_FDCWD.
 */
ssize_t file_read_at(int dirfd, const char *name, char *buffer, size_t size, struct error *err);

/* As file_read_at() into a heap buffer of at most max bytes; *ret_text is the caller's to free. */
ssize_t file_read_all_at(
	int dirfd, const char *name, size_t max, char **ret_text, struct error *err);

/* One write(2) of text to an existing file, as kernel knobs want it. 0 or -errno. */
int file_write_at(int dirfd, const char *name, const char *text, struct error *err);

/* Create or replace atomically: temporary name, fsync, rename. 0 or -errno. */
int file_replace_at(
	int dirfd, const char *name, const void *data, size_t size, mode_t mode, struct error *err);
/* Likewise without the fsync: what means nothing once the machine has stopped. */
int file_replace_volatile_at(
	int dirfd, const char *name, const void *data, size_t size, mode_t mode, struct error *err);

/* mkdir -p. Existing directories are kept as they are. 0 or -errno. */
int file_make_directories(const char *path, mode_t mode, struct error *err);
#endif
