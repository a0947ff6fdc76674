/*
 * supervisor_world.h - a whole supervisor in this process, with fake builders, a fake hearth-network and real
 * clients.
 *
 * Its loop turns only while a test waits for something (world_await() and friends), so nothing
 * happens behind a test's back. No root is needed.
 */
#ifndef TESTS_UNIT_SUPERVISOR_WORLD_H
#define TESTS_UNIT_SUPERVISOR_WORLD_H
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "pool/pool.h"
#include "proto/control.h"
#include "supervisor/supervisor.h"

#define WORLD_PATIENCE_MS 20000 /* for what must happen */

struct world {
	char directory[64];
	int dirfd;
	int workspaces_fd; /* the same, where the configuration names any; else -1 */
	struct supervisor *supervisor;
	/* FAKE_BUILDER of the next builder that starts, used once; NULL: nothing goes wrong. */
	const char *behaviour;
	const char *network_behaviour;
	bool cannot_start; /* a builder cannot even be started */
	unsigned starts;
	pid_t builder;	/* the last one started */
	pid_t network;	/* 0: none was started */
	int fds_before; /* open when the world began */
};

/* Any answer, and the fd that came with it (-1: none). */
struct answer {
	union {
		struct message_header header;
		struct control_leased leased;
		struct control_refused refused;
		struct control_sandbox_row sandbox;
		struct control_pool_row pool;
		struct control_stat_row stat;
		struct control_lease_ended ended;
		struct control_lease_frozen frozen;
		struct control_receipt receipt;
		struct control_sandbox_details details;
	};
	int fd;
};

/* Whether the host of worlds that are opened from now on can freeze: it can. */
extern bool world_can_freeze;

/* config: text of a hearth.conf. behaviour: of the first builder. */
struct world *world_open(const char *config, const char *behaviour);
/* Likewise, and network_behaviour: FAKE_NETWORK of hearth-network, where the configuration has one. */
struct world *world_open_network(
	const char *config, const char *behaviour, const char *network_behaviour);
/* Checks that not one fd or process is left. */
void world_close(struct world *w);

/* Turn the loop until check(w, arg) or fail the test. */
void world_until(struct world *w, bool (*check)(struct world *w, void *arg), void *arg);
/* Until the first pool has at least so many ready, or exactly so many leased. */
void world_until_ready(struct world *w, uint32_t ready);
void world_until_leased(struct world *w, uint32_t leased);
/* Turn the loop for some 50 ms: what might happen, may. */
void world_turns(struct world *w);
/* Of the first pool. */
struct pool_counters world_counters(const struct world *w);
/* For world_until(): a sandbox of the first pool has died by itself. */
bool world_has_died(struct world *w, void *arg);
/* Until supervisor_run() would return. */
int world_run(struct world *w);

/* A connected client. */
int world_connect(struct world *w);
/* Send raw bytes as they are, with fd unless it is -1. -errno. */
int world_send(int client, const void *bytes, size_t size, int fd);
void world_acquire(
	int client, uint32_t id, const char *template_name, uint32_t on_empty, uint32_t wait_ms);
void world_lease_request(
	int client, uint16_t type, uint32_t id, const struct control_handle *handle);
/* Template, workspace, limits and so on are as m says. */
void world_acquire_own(int client, uint32_t id, const struct control_acquire *m);
void world_net(int client, uint32_t id, const struct control_handle *handle, const char *net);
void world_query(int client, uint16_t type, uint32_t id);

/* The next answer; fails the test when none comes or the connection ends. */
struct answer world_await(struct world *w, int client);
/* As world_await(), which must be of that type and id; receipts that come before it are passed over. */
struct answer world_expect(struct world *w, int client, uint16_t type, uint32_t id);
/* Until the connection is closed; whatever still arrives is thrown away. */
void world_expect_closed(struct world *w, int client);
/* Acquire from the first pool, id 1, and expect the lease. */
struct answer world_lease(struct world *w, int client);
/* Give a lease back; until its sandbox is proven dead. Its fd is closed. */
void world_release(struct world *w, int client, const struct answer *lease);
struct control_sandbox_details world_inspect(
	struct world *w, int client, const struct control_handle *handle);
/* Expect that request to be refused so. */
void world_expect_refused(
	struct world *w, int client, uint32_t id, enum control_refusal refusal, const char *text);
#endif
