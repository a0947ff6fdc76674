/*
 * builder_link.h - one builder: its process, its link, what it is busy with, and its replacement.
 *
 *   DOWN -> STARTING (started, LINK_STARTED awaited) -> RUNNING -> ENDING (link closed, killed,
 *   death awaited) -> DOWN -> STARTING after a pause.
 *
 * A builder runs only when the processors have nothing else to do, so on a busy host it may be late:
 * then it is hurried. One that says something wrong, that hangs, or that dies is lost: its sandboxes
 * end, its slots rest until its replacement has started. RESTARTS_MAX losses within
 * RESTARTS_WINDOW_MS are the most that is borne: with one more the supervisor fails.
 */
#ifndef SUPERVISOR_BUILDER_LINK_H
#define SUPERVISOR_BUILDER_LINK_H
#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "nsjail-lite/builder/link.h"
#include "nsjail-lite/builder_host.h"
#include "supervisor/outbox.h"

struct error;
struct sandbox;
struct supervisor;

#define HURRY_MS	   100	 /* without any progress it gets normal priority */
#define BUILD_TIMEOUT_MS   5000	 /* and after that much more it hangs */
#define START_TIMEOUT_MS   30000 /* LINK_STARTED: an earlier builder's sandboxes are ended first */
#define RESTARTS_MAX	   5
#define RESTARTS_WINDOW_MS 60000
#define LINK_QUEUE_MAX	   (4u << 20) /* bytes on their way to one builder */

enum builder_state { BUILDER_DOWN, BUILDER_STARTING, BUILDER_RUNNING, BUILDER_ENDING };

struct builder_link {
	struct supervisor *supervisor;
	uint32_t index;
	enum builder_state state;
	struct builder process;
	struct outbox outbox;
	struct event *readable; /* the link */
	struct event *exited;	/* the pidfd */
	struct event *late, *restart;
	struct list building, alive;	/* sandboxes; alive: built and not yet ended */
	struct list bindings;		/* of sandboxes that were alive when it was lost */
	uint32_t building_count;	/* some may wait for their network */
	uint32_t asked_count;		/* messages that it has not answered yet */
	uint32_t bind_orphans;		/* of them, BINDs whose sandboxes have ended */
	bool is_broken;			/* a send failed: to be given up in its own callback */
	bool is_hurried;		/* has normal priority until it has nothing to do */
	char why[LINK_TEXT_MAX];	/* what it said before it died */
	uint64_t lost_ms[RESTARTS_MAX]; /* the last losses, oldest at lost_count % RESTARTS_MAX */
	uint32_t lost_count;
};

/* DOWN. 0 or -ENOMEM. */
int builder_link_create(struct supervisor *supervisor, uint32_t index,
	struct builder_link **ret_builder, struct error *err);
int builder_link_start(struct builder_link *builder, struct error *err);
/* The end of its link: it kills what it built, removes its cgroups and exits. */
void builder_link_hang_up(struct builder_link *builder);
/* Wait for its exit, at most STOP_MS, and free. Accepts NULL. */
void builder_link_destroy(struct builder_link *builder);
#define STOP_MS 5000

/* RUNNING, with a free slot and not too much at its door. */
bool builder_link_has_room(const struct builder_link *builder);
/* Only when it has room. The sandbox leaves the queue. */
void builder_link_build(struct builder_link *builder, struct sandbox *sandbox);
/* Also when it is already dying: its end is then on its way. */
void builder_link_kill(struct builder_link *builder, struct sandbox *sandbox);
/* Stop everything in it, or let it go on. What is dying is left alone. */
void builder_link_freeze(struct builder_link *builder, struct sandbox *sandbox, bool is_frozen);
/* Its sandbox is filled in; somebody waits for it: the builder gets normal priority at once. */
void builder_link_bind(
	struct builder_link *builder, struct sandbox *sandbox, struct link_bind *bind);

/* Of a sandbox that it is to build: its slot's network namespace (-1: the builder makes one), or why not. */
void builder_link_make_slot(struct builder_link *builder, struct sandbox *sandbox, int netns_fd);
void builder_link_build_failed(
	struct builder_link *builder, struct sandbox *sandbox, const char *why);

/* For builder_messages.c. */
void builder_link_send_build(struct builder_link *builder, struct sandbox *sandbox);
/* It answered: give it its time anew for what is left, and more work. */
void builder_link_progress(struct builder_link *builder);
void builder_link_set_state(struct builder_link *builder, enum builder_state state);
#endif
