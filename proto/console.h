/*
 * console.h - one command inside, run with this process's stdin, stdout, stderr, signals and terminal.
 *
 * For command-line programs: hearth run, nsjail-lite. The process reads a guest's bytes here: it has
 * dropped its privileges before (base/drop.h).
 */
#ifndef PROTO_CONSOLE_H
#define PROTO_CONSOLE_H
#include "proto/guest_client.h"
#include "proto/stream.h"

struct console_command {
	const char *const *argv; /* NULL-terminated */
	const char *const *env;	 /* likewise; may be NULL */
	const char *cwd;	 /* NULL: the image's */
	uint32_t timeout_ms;	 /* 0: none */
	uint64_t output_max;	 /* bytes of stdout and stderr together; 0: no limit */
	bool has_stdin, has_tty;
	uint32_t
		passed; /* GUEST_EXEC_FD_*: these fds are the command's own; see guest_exec_options */
	int stdio[GUEST_EXEC_FDS_MAX];
};

struct console {
	struct stream stream;
	struct guest_client *guest; /* borrowed */
	struct guest_request *request;
	uint32_t timeout_ms;
	struct guest_reply reply; /* valid once console_attend() has returned 0 */
	bool has_reply;
	int write_error; /* errno of stdout or stderr; the command was cancelled then */
};

/* Something else to wait for, meanwhile. A negative result of on_ready ends console_attend() with it. */
struct console_other {
	int fd;
	int (*on_ready)(void *arg, struct error *err);
	void *arg;
};

int console_start(struct console *console, struct guest_client *guest,
	const struct console_command *command, struct error *err);
/* Until the command's reply. other may be NULL. */
int console_attend(struct console *console, const struct console_other *other, struct error *err);
/* Gives the terminal back. Also after a console_start() that failed. */
void console_finish(struct console *console);

/*
 * The exit status that the reply asks for: the command's, 128 + signal, 124 at the timeout, 126 or 127
 * when it could not be started. -errno when the failure is not the command's. err->text, which the
 * caller has emptied, is set in all cases that people want a sentence for.
 */
int console_status(const struct console *console, const char *name, struct error *err);
#endif
