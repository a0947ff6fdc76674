/*
 * leases.h - a pool's leased sandboxes: whose they are, when they end, who sleeps.
 *
 * A lease without touch for idle_ms is frozen, where the embedder can freeze; a touch thaws it, and
 * frozen_ms later it ends. None of this walks the leased ones: those due stand in a heap, and a
 * lessee's are found by a table of lessees.
 */
#ifndef POOL_LEASES_H
#define POOL_LEASES_H
#include "pool/policy.h"

/* READY to LEASED; limits as of the request, 0: the pool's. */
void leases_start(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox, void *lessee,
	uint32_t lease_ms, uint32_t idle_ms);

/* The lessee is told the reason, then it is discarded. */
void leases_end(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox,
	enum lease_end_reason reason);

/* It is LEASED and on its way out: from now on nothing is due, and nobody finds it by its lessee. */
void leases_leave(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox);

void leases_touch(struct pool *pool, uint64_t now_ms, struct pool_sandbox *sandbox);
void leases_lessee_gone(struct pool *pool, uint64_t now_ms, const void *lessee);

/* Freeze and end those whose time has come. */
void leases_expire(struct pool *pool, uint64_t now_ms);

/* When its limits end or freeze it; UINT64_MAX: never. */
uint64_t leases_due_ms(const struct pool_sandbox *sandbox);
#endif
