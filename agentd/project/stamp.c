#include "agentd/project/stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/text.h"

/* The kernel stamps files with the time of its last tick, at most 10 ms ago. */
#define FRESH_NS 20000000

/* Compared as bytes: all members are written, and there is no padding. */
struct look {
	uint64_t device, inode, mode;
	int64_t size, modified_ns, changed_ns;
};

struct stamp {
	char path[STAMP_PATH_MAX];
	struct look look; /* zeros: absent */
};

static int64_t nanoseconds(struct timespec time)
{
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void look_at(int dirfd, const char *path, struct look *ret_look)
{
	struct stat st;

	memset(ret_look, 0, sizeof(*ret_look));
	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	ret_look->device = st.st_dev;
	ret_look->inode = st.st_ino;
	ret_look->mode = st.st_mode;
	ret_look->size = st.st_size;
	ret_look->modified_ns = nanoseconds(st.st_mtim);
	ret_look->changed_ns = nanoseconds(st.st_ctim);
}

int stamps_take(struct stamps *stamps, int dirfd, const char *path)
{
	struct stamp *rows = realloc(stamps->rows, (stamps->count + 1) * sizeof(*rows));
	struct stamp *stamp;
	struct timespec now;
	int64_t age;

	if (!rows)
		return -ENOMEM;
	stamps->rows = rows;
	stamp = &rows[stamps->count];
	if (text_copy(stamp->path, sizeof(stamp->path), path) < 0)
		return -ENOMEM;
	look_at(dirfd, path, &stamp->look);
	stamps->count++;
	clock_gettime(CLOCK_REALTIME, &now);
	/* One from the future is none that the next change could bear as well. */
	age = nanoseconds(now) - stamp->look.changed_ns;
	if (age >= 0 && age < FRESH_NS)
		stamps->is_fresh = true;
	return 0;
}

bool stamps_differ(const struct stamps *stamps, int dirfd)
{
	struct look look;

	for (size_t i = 0; i < stamps->count; i++) {
		look_at(dirfd, stamps->rows[i].path, &look);
		if (memcmp(&look, &stamps->rows[i].look, sizeof(look)) != 0)
			return true;
	}
	return false;
}

void stamps_finish(struct stamps *stamps)
{
	free(stamps->rows);
	memset(stamps, 0, sizeof(*stamps));
}
