#include "nsjail-lite/run_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"

#define DIRECTORY "/run"
#define MODE	  0600 /* whoever can open it can lock it, and keep every instance waiting */
#define LOCK_MS	  5000 /* many instances that start at once, each for less than a millisecond */
#define LOOK_NS	  5000000

static int lock(int fd, const char *name, struct error *err)
{
	const struct timespec look = {.tv_nsec = LOOK_NS};
	uint64_t deadline_ms = clock_now_ms() + LOCK_MS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_errno(err, "lock " DIRECTORY "/%s", name);
		if (clock_now_ms() >= deadline_ms)
			return error_set(err, EBUSY,
				DIRECTORY "/%s has been locked for %d s by a process that holds it "
					  "open: find it (lslocks, or fuser " DIRECTORY
					  "/%s), end it, try again",
				name, LOCK_MS / 1000, name);
		nanosleep(&look, NULL);
	}
	return 0;
}

/* What stands there now: a writer replaces it, so look again once locked. */
static int open_locked(int dirfd, const char *name, struct error *err)
{
	struct stat held, named;
	int r;

	for (;;) {
		auto_close int fd =
			openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, MODE);

		if (fd < 0)
			return error_errno(err, "open " DIRECTORY "/%s", name);
		if (fchmod(fd, MODE) < 0)
			return error_errno(err, "mode of " DIRECTORY "/%s", name);
		r = lock(fd, name, err);
		if (r < 0)
			return r;
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

	return dirfd < 0 ? dirfd : file_replace_volatile_at(dirfd, name, text, size, MODE, err);
}
