#include "proto/console.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define STATUS_TIMEOUT 124

static void on_output(void *arg, enum guest_stream stream, const void *data, uint32_t size)
{
	struct console *console = arg;
	int fd = stream == GUEST_STDERR ? STDERR_FILENO : STDOUT_FILENO;
	int r;

	if (console->write_error)
		return;
	r = stream_write(&console->stream, fd, data, size);
	if (r < 0) {
		console->write_error = -r;
		guest_request_cancel(console->request);
	}
}

static void on_reply(void *arg, const struct guest_reply *reply)
{
	struct console *console = arg;

	console->reply = *reply;
	console->has_reply = true;
	console->request = NULL;
}

static uint32_t credit(void *arg)
{
	struct console *console = arg;

	return console->request ? guest_request_credit(console->request) : 0;
}

static int input(void *arg, const void *data, uint32_t size)
{
	struct console *console = arg;

	return guest_request_input(console->request, data, size, size == 0);
}

static void pass_signal(void *arg, int signal)
{
	struct console *console = arg;

	if (console->request)
		guest_request_signal(console->request, signal);
}

static void resize(void *arg, uint16_t rows, uint16_t columns)
{
	struct console *console = arg;

	if (console->request)
		guest_request_resize(console->request, rows, columns);
}

int console_start(struct console *console, struct guest_client *guest,
	const struct console_command *command, struct error *err)
{
	static const struct stream_ops ops = {credit, input, pass_signal, resize};
	const bool has_input = command->has_stdin && !(command->passed & GUEST_EXEC_FD_STDIN);
	const struct guest_callbacks callbacks = {
		.on_output = on_output, .on_reply = on_reply, .arg = console};
	struct guest_exec_options options = {
		.argv = command->argv,
		.env = command->env,
		.cwd = command->cwd,
		.timeout_ms = command->timeout_ms,
		.output_max = command->output_max,
		.flags = (has_input ? GUEST_EXEC_STDIN : 0u) |
			 (command->has_tty ? GUEST_EXEC_PTY : 0u) | command->passed,
		.stdio = {command->stdio[0], command->stdio[1], command->stdio[2]},
	};
	int r;

	memset(console, 0, sizeof(*console));
	console->guest = guest;
	console->timeout_ms = command->timeout_ms;
	if (command->has_tty)
		terminal_size(&options.rows, &options.columns);
	r = stream_start(&console->stream, has_input, command->has_tty, &ops, console, err);
	if (r < 0)
		return r;
	return guest_client_exec(guest, &options, &callbacks, &console->request, err);
}

int console_attend(struct console *console, const struct console_other *other, struct error *err)
{
	struct error lost;

	while (!console->has_reply) {
		bool wants_write = guest_client_wants_write(console->guest);
		struct pollfd p[] = {
			{.fd = guest_client_fd(console->guest),
				.events = (short)(POLLIN | (wants_write ? POLLOUT : 0))},
			{.fd = other ? other->fd : -1, .events = POLLIN},
		};
		int r = stream_wait(&console->stream, p, ARRAY_SIZE(p), err);

		if (r < 0)
			return r;
		if (p[0].revents || guest_client_wants_write(console->guest))
			guest_client_process(console->guest, &lost); /* a loss comes as a reply */
		if (p[1].revents) {
			r = other->on_ready(other->arg, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

void console_finish(struct console *console)
{
	stream_finish(&console->stream);
}

int console_status(const struct console *console, const char *name, struct error *err)
{
	const struct guest_reply *reply = &console->reply;
	int code = reply->error ? (int)reply->error : EIO;

	if (console->write_error)
		return error_set(err, console->write_error, "write the output: %s",
			strerror(console->write_error));
	switch ((enum guest_end)reply->end) {
	case GUEST_END_DONE:
	case GUEST_END_CANCELLED:
		return (int)reply->exit_status;
	case GUEST_END_TIMEOUT:
		error_set(err, ETIMEDOUT, "%.80s: ended after %u ms, its --timeout", name,
			console->timeout_ms);
		return STATUS_TIMEOUT;
	case GUEST_END_FAILED:
		if (reply->text[0])
			error_set(err, code, "%.*s", (int)sizeof(reply->text), reply->text);
		else
			error_set(err, code, "%.80s: %s", name, strerror(code));
		return reply->exit_status == 126 || reply->exit_status == 127
			       ? (int)reply->exit_status
			       : -code;
	case GUEST_END_LOST:
		return error_set(err, EPIPE, "the sandbox is gone: %.100s", reply->text);
	}
	return error_set(err, EPROTO, "reply of an unknown kind");
}
