/*
 * without RULE... -- PROGRAM [ARGUMENT...] - runs a program on a host that lacks something.
 *
 *   CALL[:CONDITION]...[/COMM]=RESULT   the system call is not made: it fails with the errno RESULT, "0"
 *                                       pretends that it worked, "hang" never answers
 *       INDEX&BITS    only when argument INDEX has all these bits
 *       INDEX@BITS    ... when the 64 bits that it points to have them
 *       INDEX~TEXT    ... when the string that it points to contains TEXT
 *       INDEX%MAGIC   ... when it is an fd on a file system of this type
 *       COMM          only in processes of this name
 *   -capability N                    dropped, of the bounding set too
 *   -nofile N                        hard limit of open files
 *   -cover PATH SOURCE               SOURCE is seen there, in a mount namespace of its own
 *   -umount PATH                     likewise
 *
 * Everything holds for the program and all that it starts, and ends with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define RULES_MAX      8
#define CONDITIONS_MAX 2
#define HANG	       (-1)
#define EXIT_WRONG     99 /* this program's own failure */

enum kind { ALWAYS = 0, BITS = '&', POINTED_BITS = '@', POINTED_TEXT = '~', FILE_SYSTEM = '%' };

struct condition {
	enum kind kind;
	unsigned index;
	uint64_t bits;
	const char *text;
};

struct rule {
	int call;
	struct condition conditions[CONDITIONS_MAX];
	const char *comm;
	int result; /* errno, 0 or HANG */
};

static struct rule rules[RULES_MAX];
static unsigned rule_count;

static _Noreturn void wrong(const char *what)
{
	fprintf(stderr, "without: %s: %s\n", what, strerror(errno));
	exit(EXIT_WRONG);
}

static int parse_result(const char *text)
{
	static const struct {
		const char *name;
		int value;
	} known[] = {{"0", 0}, {"hang", HANG}, {"EPERM", EPERM}, {"EACCES", EACCES},
		{"ENOENT", ENOENT}, {"ENODEV", ENODEV}, {"EINVAL", EINVAL}, {"ENOSYS", ENOSYS}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(text, known[i].name) == 0)
			return known[i].value;
	errno = EINVAL;
	wrong(text);
}

static void add_rule(char *text)
{
	struct rule *rule = &rules[rule_count++];
	char *result = strrchr(text, '='), *comm, *next;

	errno = EINVAL;
	if (!result || rule_count > RULES_MAX)
		wrong(text);
	*result = '\0';
	rule->result = parse_result(result + 1);
	comm = strchr(text, '/');
	if (comm) {
		*comm = '\0';
		rule->comm = comm + 1;
	}
	next = strchr(text, ':');
	for (struct condition *c = rule->conditions; next; c++) {
		char *kind, *here = next;

		if (c == rule->conditions + CONDITIONS_MAX)
			wrong(text);
		*here = '\0';
		next = strchr(here + 1, ':');
		c->index = (unsigned)strtoul(here + 1, &kind, 10);
		c->kind = (enum kind) * kind;
		c->text = kind + 1;
		c->bits = strtoull(kind + 1, NULL, 0);
	}
	rule->call = seccomp_syscall_resolve_name(text);
	if (rule->call < 0)
		wrong(text);
}

static void drop_capability(unsigned number)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0 || syscall(SYS_capget, &header, data) < 0)
		wrong("capability");
	data[number / 32].permitted &= ~(UINT32_C(1) << number % 32);
	data[number / 32].effective &= ~(UINT32_C(1) << number % 32);
	data[number / 32].inheritable = 0;
	if (syscall(SYS_capset, &header, data) < 0)
		wrong("capability");
}

static void own_mounts(void)
{
	static bool is_done;

	if (!is_done &&
		(unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
		wrong("mount namespace");
	is_done = true;
}

/* The options that change ourselves; returns where the program's own words begin. */
static char **take_away(char **argv)
{
	for (; *argv && strcmp(*argv, "--") != 0; argv++) {
		if (strcmp(*argv, "-capability") == 0) {
			drop_capability((unsigned)atoi(*++argv));
		} else if (strcmp(*argv, "-nofile") == 0) {
			rlim_t number = strtoul(*++argv, NULL, 10);

			if (setrlimit(RLIMIT_NOFILE, &(struct rlimit){number, number}) < 0)
				wrong("nofile");
		} else if (strcmp(*argv, "-cover") == 0) {
			own_mounts();
			if (mount(argv[2], argv[1], NULL, MS_BIND, NULL) < 0)
				wrong(argv[1]);
			argv += 2;
		} else if (strcmp(*argv, "-umount") == 0) {
			own_mounts();
			if (umount2(*++argv, MNT_DETACH) < 0)
				wrong(*argv);
		} else {
			add_rule(*argv);
		}
	}
	return *argv ? argv + 1 : argv;
}

/* In the program's process: from here on the calls of the rules are asked of the parent. */
static int load(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (!filter || seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) < 0 ||
		seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW) < 0)
		wrong("filter");
	for (unsigned i = 0; i < rule_count; i++)
		seccomp_rule_add(filter, SCMP_ACT_NOTIFY, rules[i].call, 0);
	errno = -seccomp_load(filter);
	if (errno)
		wrong("filter");
	return seccomp_notify_fd(filter);
}

static size_t read_memory(uint32_t pid, uint64_t address, void *to, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/mem", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : pread(fd, to, size, (off_t)address);
	close(fd);
	return n < 0 ? 0 : (size_t)n;
}

static bool has_name(uint32_t pid, const char *name)
{
	char path[64], comm[32] = "";
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, comm, sizeof(comm) - 1);
	close(fd);
	return n > 0 && strncmp(comm, name, strlen(name)) == 0;
}

static bool is_on(uint32_t pid, int fd, uint64_t magic)
{
	struct statfs fs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/fd/%d", pid, fd);
	return statfs(path, &fs) == 0 && (uint64_t)fs.f_type == magic;
}

static bool holds(const struct condition *c, const struct seccomp_notif *call)
{
	uint64_t argument = call->data.args[c->index], pointed = 0;
	char text[256] = "";

	switch (c->kind) {
	case ALWAYS:
		break;
	case BITS:
		return (argument & c->bits) == c->bits;
	case POINTED_BITS:
		read_memory(call->pid, argument, &pointed, sizeof(pointed));
		return (pointed & c->bits) == c->bits;
	case POINTED_TEXT:
		read_memory(call->pid, argument, text, sizeof(text) - 1);
		return strstr(text, c->text) != NULL;
	case FILE_SYSTEM:
		return is_on(call->pid, (int)argument, c->bits);
	}
	return true;
}

static bool applies(const struct rule *rule, const struct seccomp_notif *call)
{
	bool all = call->data.nr == rule->call;

	for (unsigned i = 0; all && i < CONDITIONS_MAX; i++)
		all = holds(&rule->conditions[i], call);
	return all && (!rule->comm || has_name(call->pid, rule->comm));
}

static void answer(int fd, const struct seccomp_notif *call, struct seccomp_notif_resp *response)
{
	memset(response, 0, sizeof(*response));
	response->id = call->id;
	response->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	for (unsigned i = 0; i < rule_count; i++) {
		if (!applies(&rules[i], call))
			continue;
		if (rules[i].result == HANG)
			return;
		response->flags = 0;
		response->error = -rules[i].result;
		break;
	}
	seccomp_notify_respond(fd, response);
}

/* Until the program ends: its exit status, 128 and the signal when it was killed. */
static int serve(pid_t pid, int fd)
{
	struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
		{.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN}};
	struct seccomp_notif *call = NULL;
	struct seccomp_notif_resp *response = NULL;
	int status;

	if (fd >= 0 && seccomp_notify_alloc(&call, &response) < 0)
		wrong("notify");
	while (!fds[1].revents) {
		if (poll(fds, 2, -1) < 0)
			wrong("poll");
		if (fds[0].revents & POLLHUP)
			fds[0].fd = -1;
		if (fds[0].revents & POLLIN) {
			memset(call, 0, sizeof(*call));
			if (seccomp_notify_receive(fd, call) == 0)
				answer(fd, call, response);
		}
	}
	seccomp_notify_free(call, response);
	if (waitpid(pid, &status, 0) < 0)
		wrong("wait");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The listener out of the child, which sends its number and waits. */
static int take_listener(pid_t pid, int from_child)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int number, fd;

	if (read(from_child, &number, sizeof(number)) != (ssize_t)sizeof(number))
		exit(EXIT_WRONG);
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (fd < 0)
		wrong("listener");
	close(pidfd);
	return fd;
}

int main(int argc, char **argv)
{
	int up[2], down[2], fd = -1;
	char **program = take_away(argv + (argc > 0));
	pid_t pid;

	if (!*program)
		wrong("no program");
	if (pipe2(up, O_CLOEXEC) < 0 || pipe2(down, O_CLOEXEC) < 0)
		wrong("pipe");
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (rule_count > 0) {
			char go;

			fd = load();
			if (write(up[1], &fd, sizeof(fd)) < 0 || read(down[0], &go, 1) != 1)
				_exit(EXIT_WRONG);
		}
		execv(program[0], program);
		_exit(EXIT_WRONG);
	}
	close(up[1]);
	if (pid > 0 && rule_count > 0) {
		fd = take_listener(pid, up[0]);
		if (write(down[1], "", 1) != 1)
			wrong("pipe");
	}
	return pid < 0 ? EXIT_WRONG : serve(pid, fd);
}
