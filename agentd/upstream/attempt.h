/*
 * attempt.h - one question to one model: the transfer, its bytes through the decoder, and what came of it.
 */
#ifndef AGENTD_UPSTREAM_ATTEMPT_H
#define AGENTD_UPSTREAM_ATTEMPT_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agentd/upstream/reply.h"
#include "agentd/upstream/sse.h"
#include "agentd/upstream/verdict.h"
#include "base/error.h"

#define ATTEMPT_WIRE_MAX                                                                           \
	(1024u * 1024 * 1024) /* bytes of a stream, most of it JSON around tiny deltas */
#define ATTEMPT_PLAIN_MAX (32u * 1024 * 1024) /* bytes of an answer that is no stream */
#define ATTEMPT_FAULT_MAX                                                                          \
	(64u * 1024)	     /* bytes that are looked at of what stands with an HTTP error */
#define ATTEMPT_GRACE_MS 250 /* for a server to end its answer after the last event */

struct event;
struct event_base;
struct provider;
struct transfer;
struct transfers;

struct attempt_outcome {
	enum verdict verdict;
	int status; /* as upstream_result has it; 0: VERDICT_DONE, and the reply is complete */
	struct error why;   /* without the key */
	long retry_after_s; /* -1: not asked for */
};

/* From the loop; exactly once. */
typedef void (*attempt_end_fn)(void *arg, const struct attempt_outcome *outcome);

/* What the answer's body is, by its first byte. */
enum attempt_body { ATTEMPT_UNKNOWN, ATTEMPT_EVENTS, ATTEMPT_PLAIN, ATTEMPT_FAULT };

struct attempt {
	struct reply reply;
	/* The rest is its own. */
	struct transfer *transfer; /* NULL: not under way */
	const struct provider *provider;
	struct sse sse;
	struct evbuffer *plain;
	struct event *grace;
	enum attempt_body body;
	bool has_event, is_cancelled;
	int read_status;
	struct error why;
	attempt_end_fn on_end;
	void *arg;
};

struct attempt_target {
	struct event_base *base;
	struct transfers *transfers;
	const struct provider *provider;
	const char *body;
	size_t body_size;
	uint32_t connect_timeout_ms, stall_timeout_ms;
};

/*
 * All but callbacks and the provider is borrowed during the call. 0, or -errno and on_end will not come;
 * attempt_finish() is due in either case, after on_end.
 */
int attempt_start(struct attempt *attempt, const struct attempt_target *target,
	const struct upstream_callbacks *callbacks, attempt_end_fn on_end, void *arg,
	struct error *err);
/* on_end comes later, with -ECANCELED; no other callback does. */
void attempt_cancel(struct attempt *attempt);
/* Of one that is not under way; also one that was never started, zeroed. */
void attempt_finish(struct attempt *attempt);
#endif
