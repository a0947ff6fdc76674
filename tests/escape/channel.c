/*
 * E91 the channel by which PID 1 is asked: its fd, that of the runners beside it, sockets that lie about
 *
 * The control attacks a sleeping process and its own parent, who have open files too.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/escape/families.h"

#define FDS_MAX 256

enum whom { TARGET, PARENT };

static pid_t victim(const struct probe *p)
{
	return p->number == PARENT ? getppid() : probe_target;
}

/* Any fd of the victim, by its directory in /proc. */
static int try_open_fd(const struct probe *p)
{
	char path[64];
	int last = ENOENT;

	for (int fd = 0; fd < FDS_MAX; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", victim(p), fd);
		if (open(path, (int)p->other | O_NONBLOCK | O_CLOEXEC) >= 0)
			return 0;
		last = errno == ENOENT ? last : errno;
	}
	return -last;
}

static int try_getfd(const struct probe *p)
{
	int pidfd = (int)syscall(SYS_pidfd_open, victim(p), 0);

	if (pidfd < 0)
		return -errno;
	for (int fd = 0; fd < FDS_MAX; fd++)
		if (syscall(SYS_pidfd_getfd, pidfd, fd, 0) >= 0)
			return 0;
		else if (errno != EBADF)
			return -errno;
	return -EBADF;
}

static int try_memory(const struct probe *p)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", victim(p));
	return probe_result(open(path, O_RDWR | O_CLOEXEC));
}

static int try_seize(const struct probe *p)
{
	return probe_result(ptrace(PTRACE_SEIZE, victim(p), NULL, NULL));
}

/* A socket among what this process was started with. */
static int try_own_sockets(const struct probe *p)
{
	struct stat st;
	int pair[2];

	(void)p;
	if (probe_is_control && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		return -errno;
	for (int fd = 0; fd < FDS_MAX; fd++)
		if (fstat(fd, &st) == 0 && S_ISSOCK(st.st_mode))
			return 0;
	return -UNCHANGED;
}

static int try_connect(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t size = strcspn(name, "\n");
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	int r;

	if (size >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, name, size);
	if (name[0] == '@')
		address.sun_path[0] = '\0';
	r = connect(fd, (struct sockaddr *)&address,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
	close(fd);
	return r < 0 ? -errno : 0;
}

/* Any socket with a name that this network namespace lists. */
static int try_named_sockets(const struct probe *p)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0hearth"};
	char line[512];
	FILE *list;
	int own = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	(void)p;
	if (probe_is_control && (bind(own, (struct sockaddr *)&address,
					 offsetof(struct sockaddr_un, sun_path) + 7) < 0 ||
					listen(own, 1) < 0))
		return -errno;
	list = fopen("/proc/net/unix", "r");
	if (!list)
		return -errno;
	while (fgets(line, sizeof(line), list)) {
		const char *name = strpbrk(line, "@/");

		if (name && try_connect(name) == 0)
			return 0;
	}
	return -UNCHANGED;
}

/* clang-format off */
#define BOTH(title, function, flags) \
	{.id = "E91", .name = title " of PID 1", .refused = {EPERM, EACCES}, .control = {WORKED}, \
		.attempt = function, .number = TARGET, .other = flags}, \
	{.id = "E91", .name = title " of the runner", .refused = {EPERM, EACCES}, \
		.control = {WORKED}, .attempt = function, .number = PARENT, .other = flags}

static const struct probe rows[] = {
	BOTH("read an open file", try_open_fd, O_RDONLY),
	BOTH("write to an open file", try_open_fd, O_WRONLY),
	BOTH("a copy of an fd", try_getfd, 0),
	BOTH("open the memory", try_memory, 0),
	BOTH("seize by ptrace", try_seize, 0),
	{.id = "E91", .name = "a socket that was left open", .refused = {UNCHANGED},
		.control = {WORKED}, .attempt = try_own_sockets},
	{.id = "E91", .name = "a socket with a name", .refused = {UNCHANGED}, .control = {WORKED},
		.attempt = try_named_sockets},
};
/* clang-format on */

const struct probe_family probe_channel = PROBE_FAMILY(rows);
