#include "nsjail-lite/guest/child_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

int child_fds_pipe(int ours, int *ret_ours, int *ret_theirs)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	ioctl(fds[ours], FIONBIO, &(int){1});
	*ret_ours = fds[ours];
	*ret_theirs = fds[!ours];
	return 0;
}

void child_fds_close(const struct child_fds *fds)
{
	fd_close(fds->in);
	fd_close(fds->out);
	fd_close(fds->err);
	fd_close(fds->report);
}

int child_fds_adopt(const int *fds, size_t count, bool has_stdin)
{
	auto_close int null = -1;

	for (int i = 0; i < 3; i++)
		if (count != 3 || fds[i] != i || fcntl(i, F_SETFD, 0) < 0)
			return -EBADF;
	if (has_stdin)
		return 0;
	null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return null < 0 || dup2(null, 0) < 0 ? -errno : 0;
}

static int arrange_stdio(const struct child_fds *fds)
{
	int in = fds->in;

	if (in < 0)
		in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (in < 0 || dup2(in, 0) < 0 || dup2(fds->out, 1) < 0 ||
		dup2(fds->err < 0 ? fds->out : fds->err, 2) < 0)
		return -errno;
	return 0;
}

int child_fds_arrange(const struct child_fds *fds)
{
	int r = 0;

	/* None of these numbers is below CHILD_REPORT_FD: guest_main() holds 0, 1 and 2. */
	if (dup3(fds->report, CHILD_REPORT_FD, O_CLOEXEC) < 0)
		return -errno;
	if (fds->out >= 0)
		r = arrange_stdio(fds);
	if (r == 0 && syscall(SYS_close_range, CHILD_REPORT_FD + 1, ~0u, 0) < 0)
		r = -errno;
	return r;
}
