/* stream.c - stdin in, stdout out, signals across. */
#include "proto/stream.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/process.h"
#include "proto/guest.h"

/* poll(2) calls a pipe writable when so much fits: a write of it does not wait. */
#define WRITE_MAX 4096

int stream_start(struct stream *stream, bool has_input, bool has_tty, const struct stream_ops *ops,
	void *arg, struct error *err)
{
	static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
	sigset_t set;

	stream->ops = ops;
	stream->arg = arg;
	stream->has_input = has_input;
	stream->has_tty = has_tty;
	stream->terminal.is_raw = false;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
		sigaddset(&set, passed_on[i]);
	process_leave_ignored(&set);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return error_errno(err, "block signals");
	stream->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (stream->signals < 0)
		return error_errno(err, "signalfd");
	/* Only with -i do typed keys, Ctrl-C among them, reach the command. */
	if (has_tty)
		return terminal_make_raw(&stream->terminal, has_input, err);
	return 0;
}

void stream_finish(struct stream *stream)
{
	terminal_restore(&stream->terminal);
}

static void pass_signals(struct stream *stream)
{
	struct signalfd_siginfo info;

	while (read(stream->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		uint16_t rows, columns;

		if (info.ssi_signo != SIGWINCH) {
			stream->ops->signal(stream->arg, (int)info.ssi_signo);
		} else if (stream->has_tty) {
			terminal_size(&rows, &columns);
			stream->ops->resize(stream->arg, rows, columns);
		}
	}
}

static void pass_input(struct stream *stream, uint32_t credit)
{
	static char buffer[GUEST_CHUNK_MAX]; /* one process, one stdin */
	ssize_t n = read(STDIN_FILENO, buffer, credit < sizeof(buffer) ? credit : sizeof(buffer));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* A terminal that went away reads EIO: that is an end as well. */
	if (stream->ops->input(stream->arg, buffer, n > 0 ? (uint32_t)n : 0) < 0 || n <= 0)
		stream->has_input = false;
}

int stream_wait(struct stream *stream, struct pollfd *others, size_t count, struct error *err)
{
	uint32_t credit = stream->has_input ? stream->ops->credit(stream->arg) : 0;
	struct pollfd p[STREAM_OTHERS_MAX + 2] = {
		{.fd = stream->signals, .events = POLLIN},
		{.fd = credit ? STDIN_FILENO : -1, .events = POLLIN},
	};

	if (count > STREAM_OTHERS_MAX)
		return error_set(err, EINVAL, "wait for too many fds");
	if (count)
		memcpy(p + 2, others, count * sizeof(*p));
	if (poll(p, (nfds_t)count + 2, -1) < 0 && errno != EINTR)
		return error_errno(err, "poll");
	if (count)
		memcpy(others, p + 2, count * sizeof(*p));
	if (p[0].revents)
		pass_signals(stream);
	if (p[1].revents)
		pass_input(stream, credit);
	return 0;
}

int stream_write(struct stream *stream, int fd, const void *data, size_t size)
{
	const char *at = data;

	while (size > 0) {
		struct pollfd p[] = {
			{.fd = fd, .events = POLLOUT},
			{.fd = stream->signals, .events = POLLIN},
		};
		ssize_t n;

		if (poll(p, ARRAY_SIZE(p), -1) < 0 && errno != EINTR)
			return -errno;
		if (p[1].revents)
			pass_signals(stream);
		if (!p[0].revents)
			continue;
		n = write(fd, at, size < WRITE_MAX ? size : WRITE_MAX);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n > 0) {
			at += n;
			size -= (size_t)n;
		}
	}
	return 0;
}
