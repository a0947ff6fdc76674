#include "nsjail-lite/guest/runner.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include "nsjail-lite/guest/loop.h"
#include "nsjail-lite/guest/place.h"
#include "nsjail-lite/guest/worker.h"
#include "proto/channel.h"

#define COMMAND_STACK (256u << 10) /* untouched it is no memory */
#define DEFAULT_PATH  "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct command {
	const char **argv, **env;
	const char *cwd, *path;
	bool has_terminal;
};

static void report(const struct runner_report *report)
{
	/* Who does not read it has gone, and this process is about to. */
	if (write(CHILD_REPORT_FD, report, sizeof(*report)) < 0)
		return;
}

/* 127: not found, 126: all else that keeps a command from running, as a shell says it. */
static void report_failure(int error, int exit_status, const char *text)
{
	struct runner_report failed = {
		.kind = RUNNER_FAILED, .is_idle = true, .error = error, .status = exit_status};

	snprintf(failed.text, sizeof(failed.text), "%s", text);
	report(&failed);
}

static bool is_same_name(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	return strncmp(a, b, length + 1) == 0;
}

/* Set "K=V" in place of an earlier K. The array has room. */
static void set_variable(const char **env, size_t *count, const char *variable)
{
	for (size_t i = 0; i < *count; i++) {
		if (is_same_name(variable, env[i])) {
			env[i] = variable;
			return;
		}
	}
	env[(*count)++] = variable;
}

static const char *find_variable(const char *const *env, const char *name_and_equals)
{
	size_t length = strlen(name_and_equals);

	for (; *env; env++)
		if (strncmp(*env, name_and_equals, length) == 0)
			return *env + length;
	return NULL;
}

/* The strings stay in the message and in the defaults. 0 or -ENOMEM. */
static int parse(const struct guest_exec *message, const struct guest_defaults *defaults,
	struct command *ret_command)
{
	const char *payload = (const char *)(message + 1);
	const char *end = (const char *)message + message->header.size;
	size_t defaults_count = 0, count = 0;

	while (defaults->env[defaults_count])
		defaults_count++;
	ret_command->argv = calloc(message->argc + 1, sizeof(char *));
	ret_command->env = calloc(defaults_count + message->envc + 1, sizeof(char *));
	if (!ret_command->argv || !ret_command->env)
		return -ENOMEM;
	for (uint32_t i = 0; i < message->argc; i++)
		ret_command->argv[i] = guest_next_string(&payload, end);
	for (size_t i = 0; i < defaults_count && !(message->flags & GUEST_EXEC_ENV_ONLY); i++)
		ret_command->env[count++] = defaults->env[i];
	for (uint32_t i = 0; i < message->envc; i++)
		set_variable(ret_command->env, &count, guest_next_string(&payload, end));
	ret_command->cwd = guest_next_string(&payload, end);
	if (ret_command->cwd[0] == '\0')
		ret_command->cwd = defaults->cwd;
	ret_command->path = find_variable(ret_command->env, "PATH=");
	if (!ret_command->path)
		ret_command->path = DEFAULT_PATH;
	ret_command->has_terminal = message->flags & GUEST_EXEC_PTY;
	return 0;
}

/* execve() argv[0], searched as a shell does. Returns the errno that tells most. */
static int exec_search(const struct command *command)
{
	char *const *argv = (char *const *)command->argv, *const *env = (char *const *)command->env;
	char file[PATH_MAX];
	int error = ENOENT;

	if (strchr(argv[0], '/') || argv[0][0] == '\0') {
		execve(argv[0], argv, env);
		return errno;
	}
	for (const char *p = command->path;; p++) {
		int length = (int)strcspn(p, ":");

		if (snprintf(file, sizeof(file), "%.*s%s%s", length, p, length ? "/" : "",
			    argv[0]) < (int)sizeof(file)) {
			execve(file, argv, env);
			if (errno == EACCES)
				error = EACCES; /* goes on, but says so at the end */
			else if (errno != ENOENT && errno != ENOTDIR)
				return errno;
		}
		p += length;
		if (*p == '\0')
			return error;
	}
}

/* Of a command that is being started, in memory that it and its runner share until it has become its program. */
struct birth {
	const struct command *command;
	struct runner_mailbox *mailbox;
	const char *what;
	int error; /* 0: it has */
};

/* Returns only when it fails. */
static int become(struct birth *birth)
{
	const struct command *command = birth->command;
	sigset_t none;

	birth->what = "session";
	if (setsid() < 0 || (command->has_terminal && ioctl(0, TIOCSCTTY, 0) < 0))
		return errno;
	signal(SIGPIPE, SIG_DFL); /* all others are: PID 1 saw to it */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	birth->mailbox->command = getpid();
	runner_deliver(birth->mailbox);
	place_anywhere();
	place_priority(PLACE_SLICE_USUAL_NS);
	birth->what = command->cwd;
	if (chdir(command->cwd) < 0)
		return errno;
	birth->what = command->argv[0];
	return exec_search(command);
}

static int command_main(void *arg)
{
	struct birth *birth = arg;

	birth->error = become(birth);
	_exit(127);
}

void runner_deliver(struct runner_mailbox *mailbox)
{
	pid_t command = mailbox->command;
	uint64_t signals;

	if (command == 0)
		return;
	signals = atomic_exchange(&mailbox->signals, 0);
	for (int signal = 1; signal <= 64; signal++)
		if (signals & UINT64_C(1) << (signal - 1))
			kill(-command, signal);
}

/*
 * As vfork(), but the runner does not wait for the exec: it would be woken for nothing, on a busy host for a turn.
 * What both have in common it leaves alone until the command ends. Its pid or -errno.
 */
static pid_t start(struct birth *birth)
{
	static _Alignas(16) char stack[COMMAND_STACK];
	pid_t pid;

#ifdef __SANITIZE_ADDRESS__ /* the one before left it by exec */
	__asan_unpoison_memory_region(stack, sizeof(stack));
#endif
	place_children_here();
	pid = clone(command_main, stack + sizeof(stack), CLONE_VM | SIGCHLD, birth);
	if (pid < 0)
		pid = -errno;
	place_anywhere();
	close(0); /* it is the command's alone, so that whoever feeds it sees when it is closed */
	return pid;
}

/* Reaps what has ended. */
static bool has_children(void)
{
	pid_t pid;

	do
		pid = waitpid(-1, NULL, WNOHANG);
	while (pid > 0);
	return pid == 0;
}

static void report_end(const struct birth *birth, struct runner_report *exited)
{
	int error = birth->error;

	if (error)
		report_failure(error,
			error == ENOENT && birth->what == birth->command->argv[0] ? 127 : 126,
			birth->what);
	else
		report(exited);
}

/* Until nothing is left below. */
static void attend(pid_t child, const struct birth *birth, pid_t guest)
{
	struct runner_report exited = {.kind = RUNNER_EXITED};
	const struct runner_report alone = {.kind = RUNNER_ALONE, .is_idle = true};
	pid_t pid;

	do
		pid = wait4(-1, &exited.status, 0, &exited.usage);
	while (pid != child && (pid > 0 || errno == EINTR));
	exited.is_idle = !has_children();
	place_guest_here(guest);
	report_end(birth, &exited);
	if (exited.is_idle)
		return;
	/* Not before: the end of the output would wake PID 1 once more. */
	close(1);
	close(2);
	do
		pid = waitpid(-1, NULL, 0);
	while (pid > 0 || errno == EINTR);
	report(&alone);
}

static void run(const struct guest_exec *message, const struct guest_defaults *defaults,
	struct runner_mailbox *mailbox, pid_t guest)
{
	struct command command = {0};
	struct birth birth = {.command = &command, .mailbox = mailbox};
	pid_t child;

	if (parse(message, defaults, &command) < 0) {
		report_failure(ENOMEM, 126, "arguments");
	} else {
		child = start(&birth);
		if (child > 0)
			attend(child, &birth, guest);
		else
			report_failure(-child, 126, "fork");
	}
	free(command.argv);
	free(command.env);
}

/* The next request's message, and its fds in place; NULL: there is none. */
static const struct message_header *receive(const struct runner_order **ret_order)
{
	/* As long as it is not used it is no memory, of PID 1 neither. */
	static _Alignas(8) char packet[sizeof(struct runner_order) + GUEST_PACKET_MAX];
	const struct runner_order *order = (const void *)packet;
	int fds[CHANNEL_FDS_MAX];
	size_t count;

	for (int fd = 0; fd < RUNNER_ORDER_FDS; fd++)
		close(fd);
	if (channel_receive(CHILD_REPORT_FD, packet, sizeof(packet), fds, &count) <= 0)
		return NULL;
	if (child_fds_adopt(fds, count, order->has_stdin) < 0)
		return NULL;
	*ret_order = order;
	return (const void *)(order + 1);
}

void runner_main(const struct guest *guest, const struct message_header *message,
	const struct child_fds *fds, struct runner_mailbox *mailbox)
{
	const struct runner_order *order;
	sigset_t all;
	int r;

	/* Nothing but SIGKILL and SIGSTOP from inside is to reach it; PID 1 undoes the latter. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	r = child_fds_arrange(fds);
	if (r < 0) {
		report_failure(-r, 126, "descriptors");
		_exit(1);
	}
	for (;;) {
		if (message && message->type != GUEST_EXEC)
			worker_main((const void *)message, guest->defaults->cwd, guest->self);
		if (message)
			run((const void *)message, guest->defaults, mailbox, guest->self);
		place_priority(PLACE_SLICE_SHORT_NS);
		message = receive(&order);
		if (!message)
			_exit(0);
		if (message->type == GUEST_EXEC)
			mailbox = &guest->mailboxes[order->mailbox];
	}
}
