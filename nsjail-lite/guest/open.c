#include "nsjail-lite/guest/open.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/* Nothing can be mounted or renamed over /proc inside, so that the name is true. */
static bool is_own_proc(int fd)
{
	char own[32], link[32], path[64];
	ssize_t n;
	size_t size;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	size = (size_t)snprintf(own, sizeof(own), "/proc/%d", getpid());
	return strncmp(path, own, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

int open_guarded(int directory, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	auto_close int fd = (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));

	if (fd < 0)
		return -1;
	if (is_own_proc(fd)) {
		errno = EACCES;
		return -1;
	}
	return take_fd(&fd);
}

int open_regular(int named, struct stat *ret_stat)
{
	char link[32];

	if (named < 0 || fstat(named, ret_stat) < 0)
		return -1;
	if (!S_ISREG(ret_stat->st_mode)) {
		errno = S_ISDIR(ret_stat->st_mode) ? EISDIR : EINVAL;
		return -1;
	}
	/* That file itself, whatever has its name by now. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", named);
	return open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}
