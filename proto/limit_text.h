/*
 * limit_text.h - limits that were hit and leases that ended, in words that people and models read.
 *
 * One place for agentd and the command lines, so that all say the same of the same limit. Sizes are
 * exact: "1 GiB", "1536 MiB", "1000 bytes".
 */
#ifndef PROTO_LIMIT_TEXT_H
#define PROTO_LIMIT_TEXT_H
#include "proto/control.h"

#define LIMIT_TEXT_MAX 320 /* with terminator: every limit at once */
#define LIMIT_KINDS    7   /* bits of enum limit_hit */

/* The limits in force, of a lease and of one command. 0: not known, and not said. */
struct limit_values {
	uint64_t memory_bytes, disk_bytes, disk_inodes, pids, cpu_milli;
	uint64_t time_ms, output_bytes; /* of the command */
};

/* Those of a lease; the command's are 0. */
struct limit_values limit_values_of(const struct control_leased *lease);

/* "memory" for LIMIT_HIT_MEMORY; "?" for what is no single limit. */
const char *limit_name(uint32_t limit);

/* One limit that was hit: "out of memory, limit 1 GiB". Returns text. */
const char *limit_text(
	uint32_t limit, const struct limit_values *values, char text[static LIMIT_TEXT_MAX]);

/* A set of them, with "; " between. Empty for the empty set. Returns text. */
const char *limit_text_all(
	uint32_t limits_hit, const struct limit_values *values, char text[static LIMIT_TEXT_MAX]);

/* The names of a set, with ", " between: "cpu, io". Returns text. */
const char *limit_names(uint32_t limits, char text[static LIMIT_TEXT_MAX]);

/* Why a lease ended: "idle for 30 s", "out of memory, limit 1 GiB". Returns text. */
const char *limit_lease_end_text(const struct control_lease_ended *ended,
	const struct limit_values *values, char text[static LIMIT_TEXT_MAX]);
#endif
