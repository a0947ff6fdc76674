#include "pool/demand.h"

#define BUILD_WEIGHT   0.125 /* of the latest build in their average */
#define RATE_FORGOTTEN 1e-6  /* less is none */
#define MEAN_MAX       700.0 /* e to the minus that is still a number */
#define ONE_BY_E       0.36787944117144233

/* e to the minus x; x from 0. No libm: Padé's fraction up to 1, beyond that by factors. */
static double exp_minus(double x)
{
	double factor = 1;

	if (x > MEAN_MAX)
		return 0;
	for (; x > 1; x -= 1)
		factor *= ONE_BY_E;
	return factor * (120 - 60 * x + 12 * x * x - x * x * x) /
	       (120 + 60 * x + 12 * x * x + x * x * x);
}

void demand_built(struct demand *demand, uint64_t ns)
{
	double s = (double)ns / 1e9;

	if (demand->build_s > 0)
		demand->build_s += (s - demand->build_s) * BUILD_WEIGHT;
	else
		demand->build_s = s;
}

void demand_look(struct demand *demand, uint64_t now_ms)
{
	if (now_ms > demand->seen_ms) {
		demand->rate *= exp_minus((double)(now_ms - demand->seen_ms) / DEMAND_MEMORY_MS);
		demand->seen_ms = now_ms;
	}
	demand->rate += demand->arrived * (1000.0 / DEMAND_MEMORY_MS);
	demand->arrived = 0;
	if (demand->rate < RATE_FORGOTTEN)
		demand->rate = 0;
}

uint32_t demand_wanted(const struct demand *demand, uint32_t most)
{
	double mean = demand->rate * demand->build_s;
	double chance, chances; /* that n come; that at most n come */
	uint32_t n = 0;

	if (mean > MEAN_MAX) {
		/* With so many the margin for chance is less than a tenth. */
		mean *= 1.1;
		return mean < most ? (uint32_t)mean : most;
	}
	chance = chances = exp_minus(mean);
	while (chances < DEMAND_GOAL && n < most) {
		n++;
		chance *= mean / n;
		chances += chance;
	}
	return n == 0 || n == most ? n : n + 1;
}
