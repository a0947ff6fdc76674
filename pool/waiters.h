/*
 * waiters.h - the acquires that wait: who is served next, who is refused.
 *
 * Fair by lessee: each has its turns, one after the other, and a turn of everybody passes before
 * anybody has another. A lessee's first turn is the one after the turn that is served now; within a
 * turn, and within a lessee, first come is first served. So a hundred that wait are answered in the
 * order in which they came, whether they are one lessee's or a hundred's, and whoever comes behind a
 * lessee's hundred is answered after the next one of them.
 */
#ifndef POOL_WAITERS_H
#define POOL_WAITERS_H
#include "pool/policy.h"

/*
 * No sandbox is ready: 0 when it waits now, else as pool_acquire(). Walks those that wait, as far as
 * they are not the same lessee's.
 */
int waiters_add(struct pool *pool, uint64_t now_ms, const struct pool_request *request,
	enum control_refusal *ret_refusal, uint32_t *ret_retry_ms);

/* The budget has not so much: refused LIMIT. As pool_acquire(). */
int waiters_refuse_limit(struct pool *pool, uint64_t now_ms, enum control_refusal *ret_refusal,
	uint32_t *ret_retry_ms);

/* Who is next, or NULL. */
struct pool_waiter *waiters_first(const struct pool *pool);
/* Out of the queue with what it was promised, because it is served; not freed. */
void waiters_take(struct pool *pool, struct pool_waiter *waiter);

/* Unanswered and freed: of one lessee; all. */
void waiters_lessee_gone(struct pool *pool, const void *lessee);
void waiters_destroy(struct pool *pool);

/* Refuse those whose time is over. */
void waiters_expire(struct pool *pool, uint64_t now_ms);
/* The first keep the builds in flight, one each; the others are refused BROKEN. */
void waiters_refuse_stranded(struct pool *pool, uint64_t now_ms);
void waiters_refuse_all(struct pool *pool, enum control_refusal refusal);
#endif
