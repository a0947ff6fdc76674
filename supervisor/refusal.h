/*
 * refusal.h - the answers that say no: REFUSED with a reason for programs and a sentence for people.
 */
#ifndef SUPERVISOR_REFUSAL_H
#define SUPERVISOR_REFUSAL_H
#include <stdint.h>

#include "proto/control.h"

struct client;
struct pool_host;

void refuse(struct client *client, uint32_t request_id, enum control_refusal refusal,
	uint32_t retry_ms, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* An acquire that the pool refused; the sentence follows from the reason. */
void refuse_acquire(struct client *client, uint32_t request_id, const struct pool_host *pool,
	enum control_refusal refusal, uint32_t retry_ms);
#endif
