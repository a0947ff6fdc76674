/*
 * stream.h - the caller's stdin, stdout, signals and terminal while a command runs inside.
 *
 * The owner says how input, signals and sizes travel (struct stream_ops) and which other fds it
 * waits for. Signals are held by a signalfd from stream_start() on, so that none is lost and each
 * is passed to the command instead of ending us; one that was ignored when we were started stays so.
 */
#ifndef PROTO_STREAM_H
#define PROTO_STREAM_H
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/terminal.h"

struct error;

#define STREAM_OTHERS_MAX 4

struct stream_ops {
	/* Bytes of input that can be taken now. */
	uint32_t (*credit)(void *arg);
	/* size 0: the end. 0 or -errno: then no more input is read. */
	int (*input)(void *arg, const void *data, uint32_t size);
	void (*signal)(void *arg, int signal);
	void (*resize)(void *arg, uint16_t rows, uint16_t columns);
};

struct stream {
	const struct stream_ops *ops;
	void *arg;
	int signals;	/* signalfd */
	bool has_input; /* stdin has not ended */
	bool has_tty;
	struct terminal terminal;
};

int stream_start(struct stream *stream, bool has_input, bool has_tty, const struct stream_ops *ops,
	void *arg, struct error *err);
/* Gives the terminal back. */
void stream_finish(struct stream *stream);

/* Wait for stdin, signals and the others, whose revents are set; pass stdin and signals on. */
int stream_wait(struct stream *stream, struct pollfd *others, size_t count, struct error *err);

/* To stdout or stderr, all of it; signals are passed on while the reader is slow. 0 or -errno. */
int stream_write(struct stream *stream, int fd, const void *data, size_t size);
#endif
