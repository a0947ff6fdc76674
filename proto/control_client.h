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

/*
 * Any checked answer of a type that fits the request: look at header->type. fd is -1 or (LEASED) the callee's.
 * is_last: no more for this id; an ACQUIRE of count sandboxes has so many answers.
 */
typedef void (*control_answer_fn)(
	void *arg, const struct message_header *answer, int fd, bool is_last);

/* A lease of this connection ended by itself. May be called from within any function here. */
typedef void (*control_ended_fn)(void *arg, const struct control_lease_ended *ended);

/* What a lease of this connection used, however it ended: its sandbox is proven dead. As above. */
typedef void (*control_receipt_fn)(void *arg, const struct control_receipt *receipt);

/* A lease of this connection has been idle for too long: nothing runs in it until it is touched. As above. */
typedef void (*control_frozen_fn)(void *arg, const struct control_lease_frozen *frozen);

/* Connect to DIRECTORY/control.sock. The error text says what to do when nothing listens. */
int control_client_connect(
	const char *directory, struct control_client **ret_client, struct error *err);
/* Use a connected socket, which becomes the client's. */
int control_client_adopt(int socket, struct control_client **ret_client, struct error *err);
/* Callbacks of pending requests are called with a made-up REFUSED (STOPPING). Accepts NULL. Not from within a callback. */
void control_client_destroy(struct control_client *client);

void control_client_on_ended(struct control_client *client, control_ended_fn on_ended, void *arg);
void control_client_on_receipt(
	struct control_client *client, control_receipt_fn on_receipt, void *arg);
void control_client_on_frozen(
	struct control_client *client, control_frozen_fn on_frozen, void *arg);
int control_client_fd(const struct control_client *client);

/*
 * Send a request (struct control_acquire, _lease, _net, _pool_set, _workspace or _query; its header is filled here). 0 or
 * -errno (-EBUSY, -EPIPE, -EINVAL: not a request that control.h allows).
 */
int control_client_send(struct control_client *client, uint16_t type, void *request, uint32_t size,
	control_answer_fn on_answer, void *arg, struct error *err);

/*
 * Handle what has arrived; poll level-triggered. 0, or -errno when the connection is lost, also by an
 * answer to nothing or one that control.h does not allow: then destroy it. Not from within a callback.
 */
int control_client_process(struct control_client *client, struct error *err);

/*
 * Send any request but LIST, POOLS, STATS and an ACQUIRE of more than one and wait up to timeout_ms (0: no limit) for the one answer, of which
 * at most ret_size bytes are kept. A REFUSED answer is a failure: -errno that fits the refusal, its
 * text in err, and *ret_refusal, when not NULL, set; other failures leave *ret_refusal alone. ret_fd may
 * be NULL when no fd is expected. After -ETIMEDOUT without a refusal the connection is lost, because
 * the answer could still come.
 */
int control_client_call(struct control_client *client, uint16_t type, void *request, uint32_t size,
	void *ret_answer, uint32_t ret_size, int *ret_fd, uint32_t timeout_ms,
	enum control_refusal *ret_refusal, struct error *err);
/* Of the last refusal that a call got: after what it may be asked again unchanged; 0: no use, or there was none. */
uint32_t control_client_retry_ms(const struct control_client *client);
#endif
