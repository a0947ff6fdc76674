/*
 * bench.h - the sandbox that a run works in: taken when the model first names a tool that needs it, kept while the run
 * goes on, given back after.
 *
 * A lease never ends a run: when it is gone, the next need takes another one, with the session's workspace.
 */
#ifndef AGENTD_LOOP_BENCH_H
#define AGENTD_LOOP_BENCH_H
#include <stdbool.h>

#include "agentd/owner.h"

#define BENCH_TRIES    4   /* of an acquire that is refused for now */
#define BENCH_RETRY_MS 500 /* when the refusal does not say */
#define BENCH_TEXT_MAX 512

struct bench;
struct error;
struct event;
struct sandbox;
struct service;

/* r: 0, also once the sandbox has ended by itself; or -errno: -EBUSY the pool has none, ask again after retry_ms. err: when r < 0. */
typedef void (*bench_ready_fn)(void *arg, int r, unsigned retry_ms, const struct error *err);

struct bench {
	struct owner owner;
	struct service *service;
	const char *workspace; /* borrowed; NULL: none */
	struct sandbox *sandbox;
	struct event *timer; /* before the next try */
	unsigned tries, retry_ms;
	bool is_waiting;
	char ended[BENCH_TEXT_MAX]; /* why the last sandbox ended before it was given back; "" */
	bench_ready_fn on_ready;
	void *arg;
};

/* 0 or -ENOMEM. */
int bench_init(struct bench *bench, struct service *service, const char *workspace,
	bench_ready_fn on_ready, void *arg);
/* The sandbox goes back; nothing is called any more. Accepts a zeroed one. */
void bench_finish(struct bench *bench);

/* 1: there is a sandbox; 0: on_ready will come, once for all that ask meanwhile; -errno. */
int bench_need(struct bench *bench, struct error *err);
#endif
