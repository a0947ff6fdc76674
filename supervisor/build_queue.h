/*
 * build_queue.h - sandboxes that wait for a builder, in the order the pools asked for them.
 *
 * Asking costs no system call, so it may happen on the acquire path; what waits is dealt out to the
 * builders after the present step of the event loop.
 */
#ifndef SUPERVISOR_BUILD_QUEUE_H
#define SUPERVISOR_BUILD_QUEUE_H
struct error;
struct sandbox;
struct supervisor;

int build_queue_init(struct supervisor *supervisor, struct error *err);
void build_queue_append(struct supervisor *supervisor, struct sandbox *sandbox);
/* A builder has room, or a slot is free again. */
void build_queue_dispatch_soon(struct supervisor *supervisor);
/* Nothing more will be built: all that waits here fails. */
void build_queue_fail_all(struct supervisor *supervisor, const char *why);
#endif
