#include "supervisor/workspace_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"

int workspace_locks_open(int directory_fd, struct error *err)
{
	int fd = openat(
		directory_fd, WORKSPACE_LOCKS, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	return fd < 0 ? error_errno(err, "workspaces: " WORKSPACE_LOCKS) : fd;
}

/* Two names with one place keep instances from each other, and nothing worse. */
static off_t place_of(const char *workspace)
{
	uint64_t hash = hash_more(HASH_START, workspace, strlen(workspace));

	return (off_t)(hash >> 2); /* its end has to be an offset, too */
}

static int set(int locks_fd, const char *workspace, short type)
{
	struct flock lock = {
		.l_type = type, .l_whence = SEEK_SET, .l_start = place_of(workspace), .l_len = 1};

	return fcntl(locks_fd, F_OFD_SETLK, &lock);
}

bool workspace_lock_take(int locks_fd, const char *workspace)
{
	return set(locks_fd, workspace, F_WRLCK) == 0;
}

void workspace_lock_give(int locks_fd, const char *workspace)
{
	set(locks_fd, workspace, F_UNLCK);
}
