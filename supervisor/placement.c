#include "supervisor/placement.h"

#define MOVE_AFTER                                                                                 \
	3 /* acquires in a row: two clients on two cores must not make us run to and fro */

void placement_init(struct placement *placement)
{
	*placement = (struct placement){0};
	if (sched_getaffinity(0, sizeof(placement->allowed), &placement->allowed) < 0)
		CPU_ZERO(&placement->allowed);
}

void placement_note(struct placement *placement, uint32_t cpu)
{
	if (cpu == 0 || cpu == placement->here) {
		placement->in_a_row = 0;
	} else if (cpu != placement->there) {
		placement->there = cpu;
		placement->in_a_row = 1;
	} else {
		placement->in_a_row++;
	}
}

void placement_follow(struct placement *placement)
{
	uint32_t cpu = placement->there;
	cpu_set_t one;

	if (placement->in_a_row < MOVE_AFTER)
		return;
	placement->in_a_row = 0;
	if (cpu > CPU_SETSIZE || !CPU_ISSET(cpu - 1, &placement->allowed))
		return;
	CPU_ZERO(&one);
	CPU_SET(cpu - 1, &one);
	if (sched_setaffinity(0, sizeof(one), &one) == 0)
		placement->here = cpu;
}

void placement_leave(struct placement *placement)
{
	if (placement->here == 0)
		return;
	sched_setaffinity(0, sizeof(placement->allowed), &placement->allowed);
	placement->here = placement->there = 0;
	placement->in_a_row = 0;
}
