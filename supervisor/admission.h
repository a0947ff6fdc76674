/*
 * admission.h - what the instance may promise of the host's memory: what each sandbox counts, and the log
 * of it. The arithmetic is the pools' (struct pool_budget).
 *
 * Leased, a sandbox counts with its limit of memory, or of disk where memory has none, times `overcommit`.
 * Idle, it counts with what it was seen to cost.
 */
#ifndef SUPERVISOR_ADMISSION_H
#define SUPERVISOR_ADMISSION_H
#include <stdint.h>

struct error;
struct pool_host;
struct pool_section;
struct supervisor;
struct supervisor_config;

/*
 * What an idle sandbox holds of the kernel's memory outside of its cgroup, by MemAvailable around 200 of them
 * (docs/benchmarks.md): 286-314 KiB in all, of which its cgroup is charged with 45. It is mostly the network
 * namespace, which belongs to the slot.
 */
#define ADMISSION_OUTSIDE_BYTES (256u * 1024)
/* In its cgroup, until the first is measured. */
#define ADMISSION_UNMEASURED_BYTES (256u * 1024)

/* Of what is free at the start, where the configuration names no budget: nine tenths. */
#define ADMISSION_SHARE(bytes) ((bytes) / 10 * 9)

/* MemAvailable of a text as of /proc/meminfo. 0 or -errno. */
int admission_memory_available(const char *meminfo, uint64_t *ret_bytes, struct error *err);

/* What one lease of the pool counts. */
uint64_t admission_lease_bytes(
	const struct supervisor_config *config, const struct pool_section *section);

/* Say in the log what the budget is, and which pools do not fit it. */
void admission_report(const struct supervisor *supervisor);

/*
 * What one of the pool's was charged with when it was ready; 0: not measured. The least that was seen counts,
 * for the kernel charges ahead, up to 64 pages a CPU.
 */
void admission_measured(struct pool_host *pool, uint64_t memory_bytes);

/* A pool has been at work: others that had to pause may go on. */
void admission_wake_others(const struct pool_host *pool);
#endif
