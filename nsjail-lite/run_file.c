#include "nsjail-lite/run_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

#define DIRECTORY "/run"

/* What stands there now: a writer replaces it, so look again once locked. */
static int open_locked(int dirfd, const char *name, struct error *err)
{
	struct stat held, named;

	for (;;) {
		auto_close int fd =
			openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

		if (fd < 0)
			return error_errno(err, "open " DIRECTORY "/%s", name);
		if (flock(fd, LOCK_EX) < 0)
			return error_errno(err, "lock " DIRECTORY "/%s", name);
		if (fstat(fd, &held) == 0 && fstatat(dirfd, name, &named, 0) == 0 &&
			held.st_ino == named.st_ino)
			return take_fd(&fd);
	}
}

static int open_directory(struct error *err)
{
	int fd = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? error_errno(err, "open " DIRECTORY) : fd;
}

int run_file_open(const char *name, char *text, size_t size, struct error *err)
{
	auto_close int dirfd = open_directory(err);
	auto_close int fd = dirfd < 0 ? dirfd : open_locked(dirfd, name, err);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = fd_read_full(fd, text, size - 1);
	if (n < 0)
		return error_set(
			err, (int)-n, "read " DIRECTORY "/%s: %s", name, error_name((int)-n));
	text[n] = '\0';
	return take_fd(&fd);
}

int run_file_write(const char *name, const char *text, size_t size, struct error *err)
{
	auto_close int dirfd = open_directory(err);

	return dirfd < 0 ? dirfd : file_replace_volatile_at(dirfd, name, text, size, 0644, err);
}
