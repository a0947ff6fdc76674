/*
 * stream.h - what run and exec share: the command line of a command inside, and the caller's stdin,
 * stdout, signals and terminal while it runs.
 *
 * The owner says how input, signals and sizes travel (struct stream_ops) and which other fds it
 * waits for. Signals are held by a signalfd from stream_start() on, so that none is lost and each
 * is passed to the command instead of ending us.
 */
#ifndef CLI_STREAM_H
#define CLI_STREAM_H
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/terminal.h"

struct cli;
struct error;

#define STREAM_OTHERS_MAX 4

/* The command inside; everything is borrowed from the command line. */
struct stream_command {
	const char *const *argv;  /* NULL-terminated */
	const char *env[512 + 1]; /* NULL-terminated; as many as there can be options */
	unsigned env_count;
	const char *cwd; /* NULL: the image's */
	uint32_t timeout_ms;
	bool has_stdin, has_tty;
};

/* From the options env, cwd, timeout, interactive, tty. 0, or the exit code of a printed usage error. */
int stream_command_parse(const struct cli *cli, char **argv, struct stream_command *ret_command);

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

int stream_start(struct stream *stream, const struct stream_command *command,
	const struct stream_ops *ops, void *arg, struct error *err);
/* Gives the terminal back. */
void stream_finish(struct stream *stream);

/* Wait for stdin, signals and the others, whose revents are set; pass stdin and signals on. */
int stream_wait(struct stream *stream, struct pollfd *others, size_t count, struct error *err);

/* To stdout or stderr, all of it; signals are passed on while the reader is slow. 0 or -errno. */
int stream_write(struct stream *stream, int fd, const void *data, size_t size);
#endif
