/*
 * placement.h - on which core the supervisor runs: on that of whoever acquires.
 *
 * A wake-up of another core costs 30 to 60 us, of the same one 3 (docs/benchmarks.md), and the kernel prefers a
 * core that is idle. ACQUIRE tells on which core its client runs. When that is another one several times in
 * a row, we move there, but not while somebody waits. Only a hint: a wrong one costs its client a wake-up.
 */
#ifndef SUPERVISOR_PLACEMENT_H
#define SUPERVISOR_PLACEMENT_H
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

struct placement {
	cpu_set_t allowed; /* at the start */
	uint32_t here;	   /* core + 1; 0: any that is allowed */
	uint32_t there;	   /* likewise: of the latest client that is elsewhere */
	unsigned in_a_row; /* acquires from there */
};

/* Without the right to ask the kernel it stays where it is put. */
void placement_init(struct placement *placement);
/* An acquire came from cpu - 1; 0: it does not say. No system call. */
void placement_note(struct placement *placement, uint32_t cpu);
/* Move, if that is better. */
void placement_follow(struct placement *placement);
/* Run anywhere again: what is started now inherits it. */
void placement_leave(struct placement *placement);
#endif
