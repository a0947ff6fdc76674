#include "nsjail-lite/guest/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/file.h"
#include "nsjail-lite/guest/open.h"

#define LINKS_MAX     40 /* as the kernel's own limit */
#define NAMES_TRIED   100
#define MODE_NEW      0644
#define MODE_NEW_DIRS 0755

/* Where the content goes: a name in a directory, and what stands there. */
struct target {
	int directory;
	char name[NAME_MAX + 1];
	bool exists;
	struct stat stat;
};

static int fail(struct work *work, const char *what)
{
	return work_fail(work, errno, "%s: %s: %s", work->path, what, strerror(errno));
}

/* Open the directory of path, which is relative to *directory, and put it in its place. */
static int enter(struct work *work, const char *path, struct target *target)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char parent[PATH_MAX] = ".";
	int directory;

	if (slash && (size_t)(slash - path) >= sizeof(parent))
		return work_fail(work, ENAMETOOLONG, "%.60s...: name too long", path);
	if (slash)
		snprintf(parent, sizeof(parent), "%.*s", slash == path ? 1 : (int)(slash - path),
			path);
	if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return work_fail(work, EISDIR, "%s: is a directory", work->path);
	if (strlen(name) > NAME_MAX)
		return work_fail(work, ENAMETOOLONG, "%.60s...: name too long", name);
	directory = open_guarded(target->directory, parent, O_PATH | O_DIRECTORY);
	if (directory < 0)
		return -errno;
	fd_close(target->directory);
	target->directory = directory;
	snprintf(target->name, sizeof(target->name), "%s", name);
	return 0;
}

/* Follow the last component through symlinks, to the place that open(2) would create or open. */
static int resolve(struct work *work, struct target *target)
{
	char link[PATH_MAX];
	ssize_t n;
	int r;

	for (int i = 0; i < LINKS_MAX; i++) {
		if (fstatat(target->directory, target->name, &target->stat, AT_SYMLINK_NOFOLLOW) <
			0) {
			target->exists = false;
			return errno == ENOENT ? 0 : fail(work, "stat");
		}
		target->exists = true;
		if (!S_ISLNK(target->stat.st_mode))
			return 0;
		n = readlinkat(target->directory, target->name, link, sizeof(link) - 1);
		if (n < 0 && (errno == EINVAL || errno == ENOENT))
			continue; /* exchanged since: look again */
		if (n < 0)
			return fail(work, "readlink");
		link[n] = '\0';
		r = enter(work, link, target);
		if (r < 0)
			return work->result.error ? r : fail(work, "symlink");
	}
	return work_fail(work, ELOOP, "%s: too many symbolic links", work->path);
}

static int find_target(struct work *work, struct target *target)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(work->path, '/');
	int r = enter(work, work->path, target);

	if (r == -ENOENT && slash && work->result.error == 0) {
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - work->path), work->path);
		r = file_make_directories(parent, MODE_NEW_DIRS, NULL);
		if (r == 0)
			r = enter(work, work->path, target);
	}
	if (r < 0 && work->result.error == 0) {
		errno = -r;
		return fail(work, "directory");
	}
	return r < 0 ? r : resolve(work, target);
}

/* Names beside the target that nobody else uses; NAMES_TRIED of them. */
static void name_temporary(char *name, size_t size, int attempt)
{
	snprintf(name, size, ".hearth-%d-%d.tmp", (int)getpid(), attempt);
}

static int fill(int fd, const struct target *target, const char *content, size_t size)
{
	mode_t mode = target->exists ? target->stat.st_mode & 07777 : MODE_NEW;
	int r = fd_write_full(fd, content, size);

	if (r < 0)
		return r;
	/* Whoever may not give files away keeps them; the mode comes after, chown clears bits of it. */
	if (target->exists && fchown(fd, target->stat.st_uid, target->stat.st_gid) < 0 &&
		errno != EPERM)
		return -errno;
	return fchmod(fd, mode) < 0 ? -errno : 0;
}

/* 0 and the file's name, or -errno: nothing is left. */
static int write_named(
	const struct target *target, const char *content, size_t size, char *name, size_t name_size)
{
	auto_close int fd = -1;
	int r;

	work_commit();
	for (int i = 0; i < NAMES_TRIED; i++) {
		name_temporary(name, name_size, i);
		fd = openat(target->directory, name,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd >= 0 || errno != EEXIST)
			break;
	}
	if (fd < 0)
		return -errno;
	r = fill(fd, target, content, size);
	if (r < 0)
		unlinkat(target->directory, name, 0);
	return r;
}

/*
 * As write_named(), but the file gets its name when it is whole: a worker killed before leaves
 * nothing behind. Needs a file system with O_TMPFILE, and /proc (open(2)).
 */
static int write_unnamed(
	const struct target *target, const char *content, size_t size, char *name, size_t name_size)
{
	auto_close int fd = openat(target->directory, ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);
	char link[32];
	int r = fd < 0 ? -errno : fill(fd, target, content, size);

	if (r < 0)
		return r;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	work_commit(); /* the caller's rename belongs to it */
	for (int i = 0; i < NAMES_TRIED; i++) {
		name_temporary(name, name_size, i);
		r = linkat(AT_FDCWD, link, target->directory, name, AT_SYMLINK_FOLLOW);
		if (r == 0 || errno != EEXIST)
			break;
	}
	return r < 0 ? -errno : 0;
}

static int replace(struct work *work, const struct target *target, const char *content, size_t size)
{
	char temporary[64];
	int r;

	if (target->exists && S_ISDIR(target->stat.st_mode))
		return work_fail(work, EISDIR, "%s: is a directory", work->path);
	if (target->exists && !S_ISREG(target->stat.st_mode))
		return work_fail(work, EINVAL, "%s: not a regular file", work->path);
	r = write_unnamed(target, content, size, temporary, sizeof(temporary));
	if (r == -EOPNOTSUPP || r == -EISDIR || r == -ENOENT)
		r = write_named(target, content, size, temporary, sizeof(temporary));
	if (r == 0 && renameat(target->directory, temporary, target->directory, target->name) < 0) {
		r = -errno;
		unlinkat(target->directory, temporary, 0);
	}
	if (r == 0)
		return 0;
	errno = -r;
	return fail(work, "write");
}

int replace_file(struct work *work, const char *content, size_t size)
{
	struct target target = {.directory = -1};
	int r;

	target.directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = find_target(work, &target);
	if (r == 0)
		r = replace(work, &target, content, size);
	fd_close(target.directory);
	return r;
}
