/*
 * uid_ranges.h - one host-wide allocator of uid and gid ranges, under a file lock.
 *
 * Ranges of JAIL_UIDS ids, the same for uids and gids, from 1,048,576 up. /run/hearth-uid-ranges holds a
 * line "FIRST COUNT INSTANCE" per taken span. An instance takes one span for its life; at its start it
 * first drops its own (recovery has ended whatever used it). The span of an instance whose base
 * cgroup is gone is free again: nothing can live in it.
 */
#ifndef NSJAIL_LITE_UID_RANGES_H
#define NSJAIL_LITE_UID_RANGES_H
#include <stdint.h>

struct error;

/* Take `count` consecutive ranges. *ret_first_uid is the base of the first. EUSERS when none is free. */
int uid_ranges_take(
	const char *instance, uint32_t count, uint32_t *ret_first_uid, struct error *err);
int uid_ranges_drop(const char *instance, struct error *err);
#endif
