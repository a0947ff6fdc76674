#include "supervisor/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"

#define MODE 0755 /* the socket is for the instance's user, who has to reach it */

/*
 * A record lock, fcntl(2): it ends with this process. A lock of flock(2) would live on in a builder that has
 * been forked and not yet executed when this process is killed, and keep the next start out.
 */
static int take_lock(int dirfd, struct error *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	auto_close int fd =
		openat(dirfd, INSTANCE_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_errno(err, "open " INSTANCE_LOCK);
	if (fcntl(fd, F_SETLK, &lock) == 0)
		return take_fd(&fd);
	if (errno != EAGAIN && errno != EACCES)
		return error_errno(err, "lock " INSTANCE_LOCK);
	if (fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
		lock.l_pid = 0;
	return error_set(err, EBUSY,
		"another hearth-supervisor serves it (pid %d): stop it first (hearth down)",
		lock.l_pid);
}

int directory_open(const char *path, struct directory *ret_directory, struct error *err)
{
	struct directory directory = {.path = path};
	auto_close int fd = -1;
	bool is_made = mkdir(path, MODE) == 0;
	int r;

	if (!is_made && errno != EEXIST)
		return error_errno(err, "make %s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, "open %s", path);
	/* Whatever the umask is. */
	if (is_made && fchmod(fd, MODE) < 0)
		return error_errno(err, "mode of %s", path);
	r = instance_id(path, directory.id, err);
	if (r < 0)
		return r;
	r = take_lock(fd, err);
	if (r < 0)
		return error_prefix(err, r, "%s", path);
	directory.lock_fd = r;
	directory.fd = take_fd(&fd);
	*ret_directory = directory;
	return 0;
}

void directory_close(struct directory *directory)
{
	fd_close(take_fd(&directory->fd));
	fd_close(take_fd(&directory->lock_fd));
}
