/*
 * request.h - requests in flight: table by id, queue, their one reply.
 *
 * QUEUED -> RUNNING -> (KILLING ->) DRAINING -> REPLYING -> gone. In PID 1 only.
 */
#ifndef NSJAIL_LITE_GUEST_REQUEST_H
#define NSJAIL_LITE_GUEST_REQUEST_H
#include <sys/resource.h>

#include "nsjail-lite/guest/input.h"
#include "nsjail-lite/guest/loop.h"

struct job;

enum request_state {
	REQUEST_QUEUED,
	REQUEST_RUNNING,
	REQUEST_KILLING,  /* its end is decided; waits for its processes to be gone */
	REQUEST_DRAINING, /* ended; what is in its pipes goes out first */
	REQUEST_REPLYING, /* only the REPLY has to be sent */
};

struct request {
	struct request *next_in_bucket;
	struct list member; /* of guest->queued or guest->pending */
	enum request_state state;
	bool is_refused;
	struct job *job;	       /* from RUNNING to DRAINING */
	void *packet;		       /* QUEUED: the request itself */
	struct input input;	       /* stdin, or content */
	uint64_t signals;	       /* bit n - 1: SIGNAL n that came while it was queued */
	uint16_t rows, columns;	       /* RESIZE that came before it; 0: none */
	int stdio[GUEST_EXEC_FDS_MAX]; /* EXEC, until it starts: passed with it; -1: not */
	uint64_t started_ns;
	uint64_t ooms_before, refused_before; /* see limits.h */
	struct guest_reply reply;
};

struct request *request_find(const struct guest *guest, uint32_t id);

/*
 * A checked EXEC or file request has come, with as many fds as it says, which are taken: start, queue or
 * refuse it. -EPROTO: its id is in flight; -ENOMEM: it cannot even be answered.
 */
int request_create(struct guest *guest, const struct message_header *message, int *fds);

/* Start what waits, while there is room. */
void request_start_queued(struct guest *guest);

/* The client's CANCEL. */
void request_cancel(struct guest *guest, struct request *request);

/* Kill its processes; the reply will say this end, unless one is decided already. */
void request_abort(struct guest *guest, struct request *request, enum guest_end end, int error,
	const char *text);

/* Fill in FAILED. format may use the usual conversions; cut at the end when too long. */
void request_fail(struct request *request, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The receipt's part that the kernel counted. */
void request_set_usage(struct request *request, const struct rusage *usage);

/* Its processes have ended: deliver what is in the pipes, then reply. */
void request_drain(struct guest *guest, struct request *request);

/* A stream of a DRAINING request is empty: reply when it was the last one. */
void request_on_drained(struct guest *guest, struct request *request);

/* Put it among those that have something to send, and send what is possible. */
void request_set_pending(struct guest *guest, struct request *request);

/* The REPLY is sent: the id is free again. */
void request_destroy(struct guest *guest, struct request *request);
#endif
