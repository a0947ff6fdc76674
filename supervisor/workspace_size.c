#include "supervisor/workspace_size.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define BLOCK 512u  /* of st_blocks */
#define INODE 4096u /* what a file costs beside them: empty ones are not free */

struct count {
	uint64_t bytes, enough_bytes;
	dev_t device;
};

static void add(struct count *count, const struct stat *st)
{
	uint64_t bytes = (uint64_t)st->st_blocks * BLOCK + INODE;

	/* A name's share: all names of a file are here, for links do not leave their mount. */
	count->bytes += S_ISDIR(st->st_mode) || st->st_nlink < 2 ? bytes : bytes / st->st_nlink;
}

static bool count_directory(struct count *count, int at, const char *name, unsigned depth);

static bool count_entry(struct count *count, int at, const char *name, unsigned depth)
{
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return true;
	if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT; /* it was there a moment ago */
	if (st.st_dev != count->device)
		return true;
	if (S_ISDIR(st.st_mode))
		return count_directory(count, at, name, depth + 1);
	add(count, &st);
	return true;
}

/* False: it cannot be measured. */
static bool count_directory(struct count *count, int at, const char *name, unsigned depth)
{
	auto_close int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const struct dirent *entry;
	bool is_counted = true;
	struct stat st;
	DIR *dir;

	if (depth > WORKSPACE_DEPTH_MAX)
		return false;
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP; /* it has changed */
	if (depth == 0)
		count->device = st.st_dev;
	add(count, &st);
	dir = fdopendir(fd);
	if (!dir)
		return false;
	take_fd(&fd);
	while (is_counted && count->bytes <= count->enough_bytes && (entry = readdir(dir)))
		is_counted = count_entry(count, dirfd(dir), entry->d_name, depth);
	closedir(dir);
	return is_counted;
}

uint64_t workspace_size(int at, const char *name, uint64_t enough_bytes)
{
	struct count count = {.enough_bytes = enough_bytes};

	return count_directory(&count, at, name, 0) ? count.bytes : UINT64_MAX;
}
