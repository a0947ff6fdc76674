/*
 * demand.h - how many ready sandboxes the acquires of late ask for.
 *
 * Acquires are taken to come independently of each other, as many in a second as of late. While one
 * sandbox is replaced, `mean` others come on average, and the number is Poisson's: with n ready an
 * acquire finds one when fewer than n others came meanwhile. The least n with which DEMAND_GOAL of
 * them do is wanted; 0 when so few come that hardly any two meet: then min decides.
 */
#ifndef POOL_DEMAND_H
#define POOL_DEMAND_H
#include <stdint.h>

#define DEMAND_GOAL	 0.99 /* of all acquires find a sandbox ready */
#define DEMAND_MEMORY_MS 2000 /* what came longer ago counts for less than 1/e */

/* All 0: nothing was seen so far. */
struct demand {
	uint32_t arrived; /* since the last look at the clock */
	uint64_t seen_ms; /* that look */
	double rate;	  /* arrivals in a second, averaged, as of seen_ms */
	double build_s;	  /* what a replacement takes, averaged; 0: unknown */
};

/* A replacement took so long, from the wish to ready. */
void demand_built(struct demand *demand, uint64_t ns);

/* Look at the clock: what arrived counts, what came before fades. */
void demand_look(struct demand *demand, uint64_t now_ms);

/* Ready sandboxes that are wanted, as of the last look; at most `most`. */
uint32_t demand_wanted(const struct demand *demand, uint32_t most);
#endif
