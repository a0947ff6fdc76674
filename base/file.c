#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/fd.h"

static int file_open(int dirfd, const char *name, int flags, struct error *err)
{
	int fd = openat(dirfd, name, flags | O_CLOEXEC);

	return fd < 0 ? error_errno(err, "open %s", name) : fd;
}

ssize_t file_read_at(int dirfd, const char *name, char *buffer, size_t size, struct error *err)
{
	auto_close int fd = file_open(dirfd, name, O_RDONLY, err);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = fd_read_full(fd, buffer, size);
	if (n < 0)
		return error_set(err, (int)-n, "read %s: %s", name, strerror((int)-n));
	if ((size_t)n == size)
		return error_set(err, EFBIG, "read %s: longer than %zu bytes", name, size - 1);
	buffer[n] = '\0';
	return n;
}

ssize_t file_read_all_at(
	int dirfd, const char *name, size_t max, char **ret_text, struct error *err)
{
	auto_free char *text = malloc(max + 1);
	ssize_t n;

	if (!text)
		return error_set(err, ENOMEM, "read %s: out of memory", name);
	n = file_read_at(dirfd, name, text, max + 1, err);
	if (n < 0)
		return n;
	*ret_text = take_ptr(&text);
	return n;
}

int file_write_at(int dirfd, const char *name, const char *text, struct error *err)
{
	auto_close int fd = file_open(dirfd, name, O_WRONLY, err);
	size_t size = strlen(text);

	if (fd < 0)
		return fd;
	if (write(fd, text, size) != (ssize_t)size)
		return error_errno(err, "write %s", name);
	return 0;
}

static int replace(int dirfd, const char *name, const void *data, size_t size, mode_t mode,
	bool lasts, struct error *err)
{
	auto_close int fd = -1;
	char temporary[256];
	int r;

	if (snprintf(temporary, sizeof(temporary), ".%s.new", name) >= (int)sizeof(temporary))
		return error_set(err, ENAMETOOLONG, "replace %s: name too long", name);
	fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return error_errno(err, "create %s", temporary);
	r = fd_write_full(fd, data, size);
	if (r == 0 && lasts && fsync(fd) < 0)
		r = -errno;
	if (r == 0 && renameat(dirfd, temporary, dirfd, name) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(dirfd, temporary, 0);
		return error_set(err, -r, "replace %s: %s", name, strerror(-r));
	}
	return 0;
}

int file_replace_at(
	int dirfd, const char *name, const void *data, size_t size, mode_t mode, struct error *err)
{
	return replace(dirfd, name, data, size, mode, true, err);
}

int file_replace_volatile_at(
	int dirfd, const char *name, const void *data, size_t size, mode_t mode, struct error *err)
{
	return replace(dirfd, name, data, size, mode, false, err);
}

int file_make_directories(const char *path, mode_t mode, struct error *err)
{
	char partial[4096];
	size_t length = strlen(path);

	if (length == 0 || length >= sizeof(partial))
		return error_set(err, ENAMETOOLONG, "mkdir: path of %zu bytes", length);
	for (size_t i = 1; i <= length; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(partial, path, i);
		partial[i] = '\0';
		if (mkdir(partial, mode) < 0 && errno != EEXIST)
			return error_errno(err, "mkdir %s", partial);
	}
	return 0;
}
