#include "tests/escape/world.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "nsjail-lite/kernel.h"

#define LIMIT_MS      10000
#define OUTPUT_MAX    4096
#define SIGNAL_STATUS 128 /* as a shell tells a death by signal */
#define NAMESPACES    (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

static int run(const char *const *argv)
{
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

void world_create(struct world *world, const char *image, const char *program)
{
	char source[4096], target[128];
	auto_close int marker = -1;

	snprintf(world->directory, sizeof(world->directory), "/dev/shm/hearth-escape.XXXXXX");
	assert_non_null(mkdtemp(world->directory));
	assert_int_equal(chmod(world->directory, 0755), 0);
	snprintf(target, sizeof(target), "%s/control", world->directory);
	assert_int_equal(mkdir(target, 0755), 0);
	snprintf(world->root, sizeof(world->root), "%s/root", world->directory);
	snprintf(world->marker, sizeof(world->marker), "%s/marker", world->directory);
	marker = open(world->marker, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	assert_int_equal(write(marker, "host", 4), 4);
	assert_int_equal(run((const char *const[]){"cp", "-a", image, world->root, NULL}), 0);
	snprintf(source, sizeof(source), "%s", program);
	snprintf(target, sizeof(target), "%s" PROBE_PROGRAM, world->root);
	assert_int_equal(run((const char *const[]){"cp", source, target, NULL}), 0);
}

void world_destroy(struct world *world)
{
	if (world->directory[0])
		run((const char *const[]){"rm", "-rf", world->directory, NULL});
	world->directory[0] = '\0';
}

static int make_dev(void)
{
	static const struct {
		const char *path;
		unsigned minor;
	} nodes[] = {{"dev/null", 3}, {"dev/zero", 5}, {"dev/full", 7}, {"dev/random", 8},
		{"dev/urandom", 9}};

	if (mount("tmpfs", "dev", "tmpfs", 0, "mode=755") < 0)
		return -1;
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		if (mknod(nodes[i].path, S_IFCHR | 0666, makedev(1, nodes[i].minor)) < 0)
			return -1;
	if (mknod("dev/tty", S_IFCHR | 0666, makedev(5, 0)) < 0 || mkdir("dev/pts", 0755) < 0 ||
		mkdir("dev/shm", 01777) < 0 || symlink("pts/ptmx", "dev/ptmx") < 0 ||
		symlink("/proc/self/fd", "dev/fd") < 0)
		return -1;
	return mount("devpts", "dev/pts", "devpts", 0, "newinstance,ptmxmode=0666");
}

/* An overlay over the image's copy becomes the root; the host's tree stays open. */
static int enter_root(const struct world *world)
{
	char options[256];
	/* A copy of the tree, because what is unmounted falls apart; it lives as long as this fd. */
	int tree = kernel_open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | AT_RECURSIVE);
	int host = openat(tree, ".", O_RDONLY | O_DIRECTORY);

	if (host < 0 || dup2(host, PROBE_HOST_FD) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		chdir(world->directory) < 0)
		return -1;
	if (mount("tmpfs", "control", "tmpfs", 0, NULL) < 0 || mkdir("control/u", 0755) < 0 ||
		mkdir("control/w", 0755) < 0 || mkdir("control/m", 0755) < 0)
		return -1;
	snprintf(options, sizeof(options), "lowerdir=%s,upperdir=control/u,workdir=control/w",
		world->root);
	if (mount("overlay", "control/m", "overlay", 0, options) < 0 || chdir("control/m") < 0)
		return -1;
	mkdir("proc", 0755);
	mkdir("sys", 0755);
	mkdir("dev", 0755);
	if (mount("proc", "proc", "proc", 0, NULL) < 0 ||
		mount("sysfs", "sys", "sysfs", 0, NULL) < 0 ||
		mount("cgroup", "sys/fs/cgroup", "cgroup2", 0, NULL) < 0 || make_dev() < 0)
		return -1;
	if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
		return -1;
	return chdir("/");
}

static int bring_loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);
}

/* The test library has taken some. */
static void reset_signals(void)
{
	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
}

/* PID 1 of the world: the target, the probe, and how the probe ended. */
static _Noreturn void be_init(const struct world *world, size_t index, int output_fd)
{
	char number[16], target[16];
	pid_t sleeper, probe;
	int status;

	reset_signals();
	if (bring_loopback_up() < 0 || enter_root(world) < 0) {
		dprintf(output_fd, "no world: %s\n", strerror(errno));
		_exit(1);
	}
	sleeper = fork();
	if (sleeper == 0) {
		setsid();
		for (;;)
			pause();
	}
	snprintf(number, sizeof(number), "%zu", index);
	snprintf(target, sizeof(target), "%d", sleeper);
	probe = fork();
	if (probe == 0) {
		dup2(output_fd, STDOUT_FILENO);
		dup2(output_fd, STDERR_FILENO);
		execl(PROBE_PROGRAM, PROBE_PROGRAM, number, target, world->marker, "control", NULL);
		_exit(127);
	}
	while (waitpid(probe, &status, 0) != probe)
		if (errno != EINTR)
			_exit(1);
	_exit(WIFSIGNALED(status) ? SIGNAL_STATUS + WTERMSIG(status) : WEXITSTATUS(status));
}

/* Until everyone has closed its end; false at the time limit. */
static bool read_all(int fd, char *output, size_t size)
{
	size_t filled = 0;
	ssize_t n;

	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (poll(&p, 1, LIMIT_MS) != 1)
			return false;
		n = read(fd, output + filled, size - 1 - filled);
		if (n <= 0)
			return true;
		filled += (size_t)n;
		output[filled] = '\0';
	}
}

int world_outcome(const char *output)
{
	const char *found = NULL;

	for (const char *at = output; (at = strstr(at, "outcome ")); at++)
		found = at;
	return found ? atoi(found + strlen("outcome ")) : 0;
}

int world_attempt(const struct world *world, size_t index, const struct probe *p)
{
	unsigned long flags =
		NAMESPACES | SIGCHLD | (p->in_host_cgroups ? 0 : (unsigned long)CLONE_NEWCGROUP);
	char output[OUTPUT_MAX] = "";
	int pipe_fds[2], status = 0, outcome;
	bool ended;
	pid_t pid;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	pid = (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
	assert_true(pid >= 0);
	if (pid == 0)
		be_init(world, index, pipe_fds[1]);
	close(pipe_fds[1]);
	ended = read_all(pipe_fds[0], output, sizeof(output));
	close(pipe_fds[0]);
	if (!ended)
		kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!ended)
		return HUNG;
	outcome = world_outcome(output);
	if (outcome)
		return outcome;
	if (WIFSIGNALED(status))
		return WORLD_ENDED;
	if (WEXITSTATUS(status) == SIGNAL_STATUS + SIGSYS)
		return SIGSYS_DEATH;
	if (WEXITSTATUS(status) > SIGNAL_STATUS)
		return OTHER_DEATH;
	fail_msg("control: status %d: %s", status, output);
	return 0;
}
