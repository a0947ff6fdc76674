/*
 * limits.h - limits of the whole sandbox that were hit while a request ran: memory, processes.
 *
 * In PID 1 only. The kernel counts; two read-only descriptors of the sandbox's cgroup bring the counts in
 * (struct guest_events). A sandbox that runs out of memory loses all its commands and workers, not only
 * the process that the kernel picked: whatever was half done would go on half. PID 1 and the files stay.
 */
#ifndef NSJAIL_LITE_GUEST_LIMITS_H
#define NSJAIL_LITE_GUEST_LIMITS_H
#include "nsjail-lite/guest/loop.h"

/* Watch. What the kernel does not tell is never hit. */
void limits_open(struct guest *guest, const struct guest_events *events);

/* Was the memory used up since the last look? Then everything that runs is ended. */
void limits_check(struct guest *guest);

/* A request starts to run: from here on hits are its own as well. */
void limits_mark(struct guest *guest, struct request *request);

/* It has ended: what was hit meanwhile goes into its reply. */
void limits_tell(struct guest *guest, struct request *request);
#endif
