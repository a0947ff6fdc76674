/*
 * pool_host.h - a pool at work: its settings, its clock, its build times, and the acts it asks for.
 */
#ifndef SUPERVISOR_POOL_HOST_H
#define SUPERVISOR_POOL_HOST_H
#include <event2/event.h>
#include <stdint.h>

#include "base/list.h"
#include "proto/control.h"

struct error;
struct histogram;
struct pool;
struct pool_section;
struct supervisor;

struct pool_host {
	struct supervisor *supervisor;
	const struct pool_section *section;
	uint32_t index; /* of its template */
	struct pool *pool;
	struct event *tick;
	struct histogram *build_times;
	uint64_t
		measured_bytes; /* the least that one was charged with when it was ready; 0: not yet */
	char broken[CONTROL_TEXT_MAX]; /* why builds fail now; empty: they do not */
};

int pool_host_create(struct supervisor *supervisor, uint32_t index, struct pool_host **ret_pool,
	struct error *err);
/* Forgets its sandboxes, which their builders end. Accepts NULL and half-built ones. */
void pool_host_destroy(struct pool_host *pool);

/* The one with that name, else the first with that image; the first of all for "". NULL: none. */
struct pool_host *pool_host_find(const struct supervisor *supervisor, const char *template_name);

/* Something was asked of the pool: look at its clock once this step is over. */
void pool_host_changed(struct pool_host *pool);

void pool_host_build_succeeded(struct pool_host *pool, uint64_t build_ns);
void pool_host_build_failed(struct pool_host *pool, const char *why);
#endif
