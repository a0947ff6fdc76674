/*
 * refusal.h - the answers that say no: REFUSED with a reason for programs and a sentence for people.
 */
#ifndef SUPERVISOR_REFUSAL_H
#define SUPERVISOR_REFUSAL_H
#include <stdint.h>

#include "proto/control.h"

struct client;
struct pool_host;

/* Who asked a pool for a sandbox, and when. */
struct acquirer {
	struct client *client;
	struct pool_host *pool;
	uint32_t request_id;
	uint64_t arrived_ns;
};

void refuse(struct client *client, uint32_t request_id, enum control_refusal refusal,
	uint32_t retry_ms, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* An acquire: what is told is what is counted. */
void refuse_acquire(const struct acquirer *who, enum control_refusal refusal, uint32_t retry_ms,
	const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Likewise, by the pool; the sentence follows from the reason. */
void refuse_by_pool(const struct acquirer *who, enum control_refusal refusal, uint32_t retry_ms);
#endif
