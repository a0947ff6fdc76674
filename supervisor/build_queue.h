/*
 * build_queue.h - sandboxes that wait for a builder, in the order the pools asked for them.
 *
 * Asking costs no system call, so it may happen on the acquire path. What waits is dealt out to the
 * builders once acquires have been quiet for BUILD_QUIET_MS: whoever leases many in a row does not share the
 * processors with the builders, whose long system calls cannot be preempted. When somebody waits for
 * a sandbox, or less than half of a pool's min is ready, it is dealt out at once.
 */
#ifndef SUPERVISOR_BUILD_QUEUE_H
#define SUPERVISOR_BUILD_QUEUE_H
#define BUILD_QUIET_MS 20

struct error;
struct sandbox;
struct supervisor;

int build_queue_init(struct supervisor *supervisor, struct error *err);
void build_queue_append(struct supervisor *supervisor, struct sandbox *sandbox);
/* Its builder is lost: another takes it, before all others. */
void build_queue_return(struct supervisor *supervisor, struct sandbox *sandbox);
/* A builder has room, a slot is free again, a pool has changed: look at the queue after this step. */
void build_queue_dispatch_soon(struct supervisor *supervisor);
/* Nothing more will be built: all that waits here fails. */
void build_queue_fail_all(struct supervisor *supervisor, const char *why);
#endif
