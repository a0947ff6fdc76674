/*
 * control_client.h - the client's end of control.sock, for agentd, the CLI and other C programs.
 *
 * One connection; what it leases dies with it. Two ways to use it, not mixed at one time:
 *   waiting:    control_client_call(), for command-line programs
 *   event loop: control_client_send(), then control_client_process() whenever the fd is readable;
 *               answers come by callback.
 */
#ifndef PROTO_CONTROL_CLIENT_H
#define PROTO_CONTROL_CLIENT_H
#include "proto/control.h"

struct control_client;
struct error;

#define CONTROL_PENDING_MAX 1024 /* requests without an answer; one more is -EBUSY */

/* Any checked answer: look at header->type. fd is -1 or (LEASED) the callee's. is_last: no more for this id. */
typedef void (*control_answer_fn)(
	void *arg, const struct message_header *answer, int fd, bool is_last);

/* A lease of this connection ended by itself. May be called from within any function here. */
typedef void (*control_ended_fn)(void *arg, const struct control_lease_ended *ended);

/* Connect to DIRECTORY/control.sock. The error text says what to do when nothing listens. */
int control_client_connect(
	const char *directory, struct control_client **ret_client, struct error *err);
/* Use a connected socket, which becomes the client's. */
int control_client_adopt(int socket, struct control_client **ret_client, struct error *err);
/* Callbacks of pending requests are called with a made-up REFUSED (STOPPING). Accepts NULL. */
void control_client_destroy(struct control_client *client);

void control_client_on_ended(struct control_client *client, control_ended_fn on_ended, void *arg);
int control_client_fd(const struct control_client *client);

/* Send a request (struct control_acquire, _lease or _query; its header is filled here). 0 or -errno (-EBUSY, -EPIPE). */
int control_client_send(struct control_client *client, uint16_t type, void *request, uint32_t size,
	control_answer_fn on_answer, void *arg, struct error *err);

/* Handle all that has arrived. 0, or -errno when the connection is lost: then destroy it. */
int control_client_process(struct control_client *client, struct error *err);

/*
 * Send and wait up to timeout_ms (0: no limit) for the one answer, at most ret_size bytes. A REFUSED
 * answer is a failure: -errno that fits the refusal, its text in err, and *ret_refusal when not NULL.
 * ret_fd may be NULL when no fd is expected.
 */
int control_client_call(struct control_client *client, uint16_t type, void *request, uint32_t size,
	void *ret_answer, uint32_t ret_size, int *ret_fd, uint32_t timeout_ms,
	enum control_refusal *ret_refusal, struct error *err);
#endif
