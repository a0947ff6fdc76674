/*
 * E01 the program that PID 1 runs   E03 fds that came along   E04 a way up from one
 * E05 a directory by way of an fd (see also cases.c)
 *
 * In the control a directory of the host has been left open.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/escape/families.h"

#define FDS_MAX	    65536
#define FD_DECLARED 3 /* 0, 1, 2 */
#define LEVELS_MAX  64

static int path_of_target(char *path, size_t size, const char *rest)
{
	return snprintf(path, size, "/proc/%d/%s", probe_target, rest);
}

static int try_open_program(const struct probe *p)
{
	char path[64];

	path_of_target(path, sizeof(path), "exe");
	return probe_result(open(path, (int)p->number | O_CLOEXEC));
}

/* As an attack on a joining process does: keep a path, write once the program has changed. */
static int try_reopen_program(const struct probe *p)
{
	char path[64];
	int fd;

	(void)p;
	path_of_target(path, sizeof(path), "exe");
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return probe_result(open(path, O_WRONLY | O_CLOEXEC));
}

static int try_truncate_program(const struct probe *p)
{
	char path[64];

	(void)p;
	path_of_target(path, sizeof(path), "exe");
	return probe_result(truncate(path, 0));
}

/* A running program cannot be written; in the control, one that does not run. */
static int try_write_own_program(const struct probe *p)
{
	(void)p;
	return probe_result(open(probe_is_control ? "/bin/busybox" : "/proc/self/exe", O_WRONLY));
}

static int try_count(const struct probe *p)
{
	(void)p;
	for (int fd = FD_DECLARED; fd < FDS_MAX; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			return 0;
	return -UNCHANGED;
}

static int try_list(const struct probe *p)
{
	char path[64];

	(void)p;
	for (int fd = FD_DECLARED; fd < FDS_MAX; fd++) {
		struct stat st;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		if (lstat(path, &st) == 0)
			return 0;
	}
	return -UNCHANGED;
}

/* Does an fd lead to a file or a directory, of which the sandbox has none but its own? */
static int try_kinds(const struct probe *p)
{
	struct stat st;

	for (int fd = 0; fd < FDS_MAX; fd++)
		if (fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == (mode_t)p->number)
			return 0;
	return -UNCHANGED;
}

/* Does its path, from some point on, lead to the marker from here? */
static bool marker_is_near(int directory)
{
	for (const char *at = probe_marker; (at = strchr(at, '/')); at++)
		if (faccessat(directory, at + 1, F_OK, 0) == 0)
			return true;
	return false;
}

/* From this directory, or the file's, upwards until it goes no further. */
static bool find_marker(int directory)
{
	struct stat last = {0}, now;

	for (int level = 0; level < LEVELS_MAX; level++) {
		int parent;

		if (marker_is_near(directory))
			return true;
		if (fstat(directory, &now) < 0 ||
			(now.st_ino == last.st_ino && now.st_dev == last.st_dev))
			return false;
		last = now;
		parent = openat(directory, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (parent < 0)
			return false;
		directory = parent;
	}
	return false;
}

enum way { BY_FCHDIR, BY_OPENAT, BY_LINK };

/* p->text follows the link's path. */
static int open_by(const struct probe *p, int fd)
{
	char path[64];

	switch ((enum way)p->number) {
	case BY_FCHDIR:
		return fchdir(fd) < 0 ? -1 : open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	case BY_OPENAT:
		return openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	case BY_LINK:
		snprintf(path, sizeof(path), "/proc/self/fd/%d%s", fd, p->text);
		return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	return -1;
}

static int try_walk(const struct probe *p)
{
	for (int fd = 0; fd < 1024; fd++) {
		int directory = open_by(p, fd);

		if (directory < 0)
			continue;
		if (find_marker(directory))
			return 0;
		close(directory);
	}
	return -UNCHANGED;
}

static int try_chdir(const struct probe *p)
{
	char path[64];

	for (int fd = 0; fd <= 64; fd++) {
		snprintf(path, sizeof(path), "/proc/%s/fd/%d", p->text, fd);
		if (chdir(path) < 0)
			continue;
		if (marker_is_near(AT_FDCWD))
			return 0;
	}
	return -UNCHANGED;
}

/* clang-format off */
#define WALK(title, way, rest) {.id = "E04", .name = "up from every fd by " title, \
	.attempt = try_walk, .number = way, .text = rest, .refused = {UNCHANGED}, \
	.control = {WORKED}}
#define FIND(title, function, ...) {.id = "E03", .name = title, .attempt = function, \
	.refused = {UNCHANGED}, .control = {WORKED}, __VA_ARGS__}

static const struct probe rows[] = {
	{.id = "E01", .name = "write to the program one runs", .attempt = try_write_own_program,
		.refused = {ETXTBSY}, .control = {WORKED}},
	{.id = "E01", .name = "read PID 1's program", .attempt = try_open_program,
		.number = O_RDONLY, .refused = {EACCES}, .control = {WORKED}},
	{.id = "E01", .name = "keep a path to PID 1's program", .attempt = try_open_program,
		.number = O_PATH, .refused = {EACCES}, .control = {WORKED}},
	/* It runs, so that the control gets no further than that. */
	{.id = "E01", .name = "write to PID 1's program", .attempt = try_open_program,
		.number = O_WRONLY, .refused = {EACCES}, .control = {ETXTBSY}},
	{.id = "E01", .name = "write to PID 1's program by a path that was kept",
		.attempt = try_reopen_program, .refused = {EACCES}, .control = {ETXTBSY}},
	{.id = "E01", .name = "truncate PID 1's program", .attempt = try_truncate_program,
		.refused = {EACCES}, .control = {ETXTBSY}},

	FIND("an fd of somebody else's", try_count, .number = 0),
	FIND("an fd of somebody else's in /proc", try_list, .number = 0),
	FIND("a directory among the fds", try_kinds, .number = S_IFDIR),

	WALK("fchdir", BY_FCHDIR, ""), WALK("openat", BY_OPENAT, ""),
	WALK("its link in /proc", BY_LINK, ""), WALK("the parent of its link", BY_LINK, "/.."),
	WALK("the link as a directory", BY_LINK, "/."),

	{.id = "E05", .name = "chdir to every fd's link", .attempt = try_chdir,
		.text = "self", .refused = {UNCHANGED}, .control = {WORKED}},
	{.id = "E05", .name = "chdir by every fd's link of the thread", .attempt = try_chdir,
		.text = "thread-self", .refused = {UNCHANGED}, .control = {WORKED}},
};
/* clang-format on */

const struct probe_family probe_descriptors = PROBE_FAMILY(rows);
