#include "nsjail-lite/enforced.h"

#include "nsjail-lite/cgroup/cgroup.h"
#include "proto/control.h"

uint32_t enforced_missing(const struct cgroup_base *base, const struct jail_limits *limits)
{
	bool has_io = limits->io_read_bps || limits->io_write_bps;
	bool has_weight = limits->cpu_weight && limits->cpu_weight != JAIL_CPU_WEIGHT;
	bool has_disk = limits->io_major || limits->io_minor;
	const struct {
		bool is_asked;
		enum cgroup_controller controller;
		uint32_t limit;
	} asked[CGROUP_CONTROLLERS] = {
		{limits->memory_bytes, CGROUP_MEMORY, LIMIT_HIT_MEMORY},
		{limits->pids, CGROUP_PIDS, LIMIT_HIT_PIDS},
		{limits->cpu_milli || has_weight, CGROUP_CPU, LIMIT_HIT_CPU},
		{has_io, CGROUP_IO, LIMIT_HIT_IO},
	};
	uint32_t missing = has_io && !has_disk ? LIMIT_HIT_IO : 0;

	for (unsigned i = 0; i < CGROUP_CONTROLLERS; i++)
		if (asked[i].is_asked && base->place[asked[i].controller] == CGROUP_ABSENT)
			missing |= asked[i].limit;
	return missing;
}
