#include "images/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

int tree_open(int dirfd, const char *name, struct error *err)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int fd = (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));

	return fd < 0 ? error_errno(err, "open %s", name) : fd;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_append(struct tree_names *names, size_t *capacity, const char *name)
{
	if (names->count == *capacity) {
		size_t more = *capacity ? 2 * *capacity : 32;
		char **grown = realloc(names->names, more * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		names->names = grown;
		*capacity = more;
	}
	names->names[names->count] = strdup(name);
	if (!names->names[names->count])
		return -ENOMEM;
	names->count++;
	return 0;
}

static int names_fill(DIR *stream, struct tree_names *names)
{
	const struct dirent *entry;
	size_t capacity = 0;

	for (errno = 0; (entry = readdir(stream)); errno = 0) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (names_append(names, &capacity, entry->d_name) < 0)
			return -ENOMEM;
	}
	return -errno;
}

int tree_names_read(int dirfd, struct tree_names *ret_names, struct error *err)
{
	struct tree_names names = {NULL, 0};
	/* A description of its own: reading moves the offset. */
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream;
	int r;

	if (fd < 0)
		return error_errno(err, "open directory");
	stream = fdopendir(fd);
	if (!stream) {
		fd_close(fd);
		return error_errno(err, "open directory");
	}
	r = names_fill(stream, &names);
	closedir(stream);
	if (r < 0) {
		tree_names_finish(&names);
		return error_set(err, -r, "read directory: %s", strerror(-r));
	}
	if (names.count)
		qsort(names.names, names.count, sizeof(*names.names), compare_names);
	*ret_names = names;
	return 0;
}

void tree_names_finish(struct tree_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->names[i]);
	free(names->names);
	*names = (struct tree_names){NULL, 0};
}

static int remove_at(int dirfd, const char *name, unsigned depth, struct error *err);

static int remove_contents(int dirfd, unsigned depth, struct error *err)
{
	struct tree_names names;
	int r = tree_names_read(dirfd, &names, err);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < names.count; i++)
		r = remove_at(dirfd, names.names[i], depth, err);
	tree_names_finish(&names);
	return r;
}

static int remove_at(int dirfd, const char *name, unsigned depth, struct error *err)
{
	auto_close int fd = -1;
	int r;

	/* EISDIR is Linux's answer for a directory, EPERM that of POSIX. */
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return error_errno(err, "remove %s", name);
	if (depth == TREE_DEPTH_MAX)
		return error_set(err, ELOOP, "remove %s: deeper than %d", name, TREE_DEPTH_MAX);
	fd = tree_open(dirfd, name, err);
	if (fd < 0)
		return fd;
	r = remove_contents(fd, depth + 1, err);
	if (r < 0)
		return error_prefix(err, r, "%s", name);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0)
		return error_errno(err, "remove %s", name);
	return 0;
}

int tree_remove_at(int dirfd, const char *name, struct error *err)
{
	return remove_at(dirfd, name, 0, err);
}
