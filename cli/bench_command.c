#include "cli/bench_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "proto/guest_client.h"

#define COMMAND_MS 30000

struct ending {
	struct guest_reply reply;
	bool has_reply;
};

static void on_reply(void *arg, const struct guest_reply *reply)
{
	struct ending *ending = arg;

	ending->reply = *reply;
	ending->has_reply = true;
}

/* Until the reply, which comes also when the sandbox is gone. */
static int attend(struct guest_client *guest, const struct ending *ending, struct error *err)
{
	while (!ending->has_reply) {
		struct pollfd p = {.fd = guest_client_fd(guest), .events = POLLIN};
		int r;

		if (guest_client_wants_write(guest))
			p.events |= POLLOUT;
		r = poll(&p, 1, 2 * COMMAND_MS);
		if (r == 0)
			return error_set(err, ETIMEDOUT, "the sandbox does not answer");
		if (r < 0 && errno != EINTR)
			return error_errno(err, "poll");
		guest_client_process(guest, err);
	}
	return 0;
}

int bench_command_inside(
	struct guest_client *guest, const char *const *argv, uint64_t *ret_ns, struct error *err)
{
	const struct guest_exec_options options = {.argv = argv, .timeout_ms = COMMAND_MS};
	struct ending ending = {.has_reply = false};
	const struct guest_callbacks callbacks = {.on_reply = on_reply, .arg = &ending};
	uint64_t started_ns = clock_now_ns();
	int r = guest_client_exec(guest, &options, &callbacks, NULL, err);

	if (r == 0)
		r = attend(guest, &ending, err);
	if (r < 0) {
		/* Its reply must not come when ending is gone. */
		guest_client_lose(guest, 0, "given up");
		return r;
	}
	*ret_ns = clock_now_ns() - started_ns;
	if (ending.reply.end == GUEST_END_DONE && ending.reply.exit_status == 0)
		return 0;
	if (ending.reply.end == GUEST_END_LOST)
		return error_set(err, EPIPE, "the sandbox is gone: %.100s", ending.reply.text);
	return error_set(err, EIO, "%.80s in the sandbox: status %u%s%.80s", argv[0],
		ending.reply.exit_status, ending.reply.text[0] ? ": " : "", ending.reply.text);
}

/* As inside: nothing to read, and what it writes is dropped. */
static int set_up(posix_spawn_file_actions_t *actions)
{
	int r = posix_spawn_file_actions_init(actions);

	for (int fd = STDIN_FILENO; r == 0 && fd <= STDERR_FILENO; fd++)
		r = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
	return -r;
}

int bench_command_on_host(const char *const *argv, uint64_t *ret_ns)
{
	posix_spawn_file_actions_t actions;
	int r = set_up(&actions), status;
	uint64_t started_ns;
	pid_t pid;

	if (r < 0)
		return r;
	started_ns = clock_now_ns();
	r = -posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	if (r == 0)
		r = waitpid(pid, &status, 0) < 0 ? -errno : status ? -EIO : 0;
	*ret_ns = clock_now_ns() - started_ns;
	posix_spawn_file_actions_destroy(&actions);
	return r;
}
