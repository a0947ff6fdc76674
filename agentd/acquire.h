/*
 * acquire.h - one acquire, from the request to the sandbox that is its owner's, or the reason why not.
 */
#ifndef AGENTD_ACQUIRE_H
#define AGENTD_ACQUIRE_H
#include "proto/control.h"

struct error;
struct owner;
struct sandbox;

/*
 * Exactly once, never from within acquire_start(): the sandbox; or NULL and either what the supervisor refused, or
 * *err: -ECANCELED the owner has gone, -ENOMEM.
 */
typedef void (*acquire_done_fn)(void *arg, struct sandbox *sandbox,
	const struct control_refused *refused, const struct error *err);

/* 0, or -errno and done will not be called: -EDQUOT a cap of the owner or of agentd, -EBUSY, -EPIPE agentd stops, -ENOMEM. */
int acquire_start(struct owner *owner, struct control_acquire *request, acquire_done_fn done,
	void *arg, struct error *err);

/* The owner goes: what comes for it is given back. */
void acquire_forget_owner(struct owner *owner);
#endif
