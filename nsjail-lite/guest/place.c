#include "nsjail-lite/guest/place.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of PID 1, and so of all that it forks. */
static cpu_set_t everywhere;
static bool is_known;

int place_priority(uint64_t slice_ns)
{
	/* As the kernel wants it; not every C library has it. */
	const struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attributes = {.size = sizeof(attributes), .policy = SCHED_OTHER, .runtime = slice_ns};

	return syscall(SYS_sched_setattr, 0, &attributes, 0) < 0 ? -errno : 0;
}

void place_init(void)
{
	is_known = sched_getaffinity(0, sizeof(everywhere), &everywhere) >= 0;
}

static void place_here(pid_t pid)
{
	int cpu = sched_getcpu();
	cpu_set_t here;

	if (!is_known || cpu < 0)
		return;
	CPU_ZERO(&here);
	CPU_SET((unsigned)cpu, &here);
	sched_setaffinity(pid, sizeof(here), &here);
}

void place_children_here(void)
{
	place_here(0);
}

void place_guest_here(pid_t guest)
{
	place_priority(PLACE_SLICE_USUAL_NS);
	place_here(guest);
}

void place_anywhere(void)
{
	if (is_known)
		sched_setaffinity(0, sizeof(everywhere), &everywhere);
}
