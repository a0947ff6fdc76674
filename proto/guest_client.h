/*
 * guest_client.h - requests to a guest over a sandbox's channel: many in flight, one reply each.
 *
 * For agentd, the CLI and nsjail-lite; never in the guest. The guest is hostile: whatever it sends is
 * checked, and at the first offence, at its hang-up or at guest_client_lose() every open request gets
 * its one reply (GUEST_END_LOST). Knows no event loop: the owner polls fd and calls process().
 */
#ifndef PROTO_GUEST_CLIENT_H
#define PROTO_GUEST_CLIENT_H
#include <stdbool.h>

#include "proto/guest.h"

struct error;
struct guest_client;
struct guest_request; /* in flight; invalid once on_reply has been called */

struct guest_callbacks {
	/* May be NULL. Bytes are hostile. */
	void (*on_output)(void *arg, enum guest_stream stream, const void *data, uint32_t size);
	/* More INPUT may be sent: ask guest_request_credit(). May be NULL. */
	void (*on_credit)(void *arg);
	/* Exactly once. The request is gone afterwards. */
	void (*on_reply)(void *arg, const struct guest_reply *reply);
	void *arg;
};

/* Bytes that wait for the guest to read; with more, requests are -EBUSY and credit is 0. */
#define GUEST_CLIENT_QUEUE_MAX (16u << 20)

/* On success the channel is the client's and non-blocking. */
int guest_client_create(int channel, struct guest_client **ret_client, struct error *err);
/* Open requests are replied LOST. Accepts NULL. Not from within a callback. */
void guest_client_destroy(struct guest_client *client);

int guest_client_fd(const struct guest_client *client);
bool guest_client_wants_write(const struct guest_client *client);
bool guest_client_is_lost(const struct guest_client *client);
unsigned guest_client_in_flight(const struct guest_client *client);

/*
 * Send and receive what is possible, up to a number of packets that leaves others their turn: poll
 * level-triggered. 0, or -errno once the channel is lost, after every request has had its reply.
 * Callbacks run from here, from lose() and from destroy() only, may start, feed and cancel requests
 * and call lose(), but not process().
 */
int guest_client_process(struct guest_client *client, struct error *err);
/* The sandbox has ended (LEASE_ENDED): reply LOST to all with this text and limits_hit. */
void guest_client_lose(struct guest_client *client, uint32_t limits_hit, const char *why);

struct guest_exec_options {
	const char *const *argv; /* NULL-terminated */
	const char *const *env;	 /* NULL-terminated, or NULL */
	const char *cwd;	 /* NULL: the image's */
	uint32_t flags;		 /* enum guest_exec_flags */
	uint32_t timeout_ms;
	uint16_t rows, columns;
	uint64_t output_max;
	/*
	 * The command's own stdin, stdout, stderr, each where flags has its GUEST_EXEC_FD_*; stay the caller's.
	 * Whoever runs inside then holds the same open file, so only these are taken, else -EINVAL:
	 *   pipes, and /dev/null;
	 *   regular files, stdin's writable for nobody but its owner and group: inside it could be opened
	 *   again for writing, by /proc/self/fd.
	 * stdin is open for reading only, the others for writing only. A directory would lead out of the
	 * sandbox, a socket would bring in more fds, a terminal takes typed keys from whoever may write to it,
	 * and a device does what no sandbox may. What remains: the guest may cut, fill or overwrite the file,
	 * O_APPEND or not, learns its name, and may change it while it is read: do not map it.
	 */
	int stdio[GUEST_EXEC_FDS_MAX];
};

/*
 * Each: 0 and *ret_request (may be NULL), or -errno and no callback will come: -EINVAL or -E2BIG, which
 * proto/guest.h does not allow; -EBUSY, too many requests or too much waits; -EPIPE, the guest has gone.
 */
int guest_client_exec(struct guest_client *client, const struct guest_exec_options *options,
	const struct guest_callbacks *callbacks, struct guest_request **ret_request,
	struct error *err);

struct guest_file_options {
	uint16_t type; /* GUEST_READ .. GUEST_GREP */
	uint32_t flags, timeout_ms;
	uint64_t offset, length, max_bytes;
	const char *path, *pattern, *include; /* as the type wants them; others NULL */
};
int guest_client_file(struct guest_client *client, const struct guest_file_options *options,
	const struct guest_callbacks *callbacks, struct guest_request **ret_request,
	struct error *err);

/*
 * Of a request in flight. After its on_reply the pointer is dead, so that nothing can come too late.
 * Each may fail with -EPIPE (the guest has gone) or -ENOMEM.
 */

/* Bytes of INPUT that may be sent now: the guest's credit, less while too much waits to be sent. */
uint32_t guest_request_credit(const struct guest_request *request);
/*
 * All of it or nothing. -EAGAIN beyond the credit: on_credit will come. -EINVAL: the request takes no
 * INPUT or had its end. is_end with size 0 is fine at any time.
 */
int guest_request_input(
	struct guest_request *request, const void *data, uint32_t size, bool is_end);
/* EXEC only: -EINVAL. -EBUSY: too much waits to be sent. */
int guest_request_signal(struct guest_request *request, int signal);
int guest_request_resize(struct guest_request *request, uint16_t rows, uint16_t columns);
/* The reply still comes, and may be another than CANCELLED. Again: nothing. */
int guest_request_cancel(struct guest_request *request);
#endif
