#define _GNU_SOURCE 1 /* renameat2 */
#include "supervisor/workspace_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

struct removal {
	int top_fd;	    /* of the tree; -1 until it is open */
	uint64_t done;	    /* removed or moved: whether a pass was of use */
	uint64_t next_name; /* of what is moved into the top */
	int failure;	    /* errno of the last that stays */
};

static void remove_directory(struct removal *removal, int at, const char *name, unsigned depth);

int workspace_tree_open(int at, const char *name, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, at, name, &how, sizeof(how));
}

static bool is_done(struct removal *removal, int r)
{
	if (r == 0)
		removal->done++;
	return r == 0;
}

/* Into the top, under a name that is free there: other passes come to it. */
static void move_up(struct removal *removal, int at, const char *name)
{
	char new_name[24];
	int r;

	do {
		snprintf(new_name, sizeof(new_name), "%" PRIu64, removal->next_name++);
		r = renameat2(at, name, removal->top_fd, new_name, RENAME_NOREPLACE);
	} while (r < 0 && errno == EEXIST);
	if (!is_done(removal, r))
		removal->failure = errno;
}

static void remove_entry(
	struct removal *removal, int at, const struct dirent *entry, unsigned depth)
{
	const char *name = entry->d_name;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return;
	if (entry->d_type != DT_DIR) {
		if (is_done(removal, unlinkat(at, name, 0)))
			return;
		if (errno != EISDIR) {
			removal->failure = errno;
			return;
		}
	}
	remove_directory(removal, at, name, depth);
}

/* One pass; readdir() may leave out what others moved in meanwhile. */
static void remove_entries(struct removal *removal, DIR *dir, unsigned depth)
{
	const struct dirent *entry;

	rewinddir(dir);
	while ((errno = 0, entry = readdir(dir)))
		remove_entry(removal, dirfd(dir), entry, depth);
	if (errno != 0)
		removal->failure = errno;
}

static DIR *open_stream(int at, const char *name)
{
	auto_close int fd = workspace_tree_open(at, name, O_RDONLY);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		take_fd(&fd);
	return dir;
}

/* Passes over what is in it until it is empty, or a pass was of no use. */
static void remove_full(struct removal *removal, int at, const char *name, unsigned depth)
{
	DIR *dir = open_stream(at, name);
	uint64_t before;

	if (!dir) {
		removal->failure = errno;
		return;
	}
	if (removal->top_fd < 0)
		removal->top_fd = dirfd(dir);
	do {
		before = removal->done;
		remove_entries(removal, dir, depth + 1);
		if (is_done(removal, unlinkat(at, name, AT_REMOVEDIR)))
			break;
		if (errno != ENOTEMPTY)
			removal->failure = errno;
	} while (errno == ENOTEMPTY && removal->done > before);
	closedir(dir);
}

static void remove_directory(struct removal *removal, int at, const char *name, unsigned depth)
{
	if (is_done(removal, unlinkat(at, name, AT_REMOVEDIR)))
		return;
	if (errno != ENOTEMPTY)
		removal->failure = errno;
	else if (depth < WORKSPACE_TREE_LEVELS)
		remove_full(removal, at, name, depth);
	else
		move_up(removal, at, name);
}

int workspace_tree_remove(int at, const char *name, struct error *err)
{
	struct removal removal = {.top_fd = -1, .failure = ENOTEMPTY};

	remove_directory(&removal, at, name, 0);
	if (faccessat(at, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return 0;
	return error_set(err, removal.failure, "%s: %s", name, strerror(removal.failure));
}
