#include "tests/escape/probe.h"

#include <errno.h>
#include <string.h>

#include "tests/escape/families.h"

pid_t probe_target = 1;
const char *probe_marker = "";
bool probe_is_control;

const struct probe_family *const probe_families[] = {
	&probe_namespaces,
	&probe_kernel,
	&probe_identity,
	&probe_links,
	&probe_sockets,
	&probe_cgroups,
	&probe_processes,
	&probe_filter,
	&probe_descriptors,
	&probe_lower,
	&probe_mounts,
	&probe_files,
	&probe_proc,
	&probe_channel,
	NULL,
};

const struct probe *probe_at(size_t index)
{
	for (size_t f = 0; probe_families[f]; f++) {
		if (index < probe_families[f]->count)
			return &probe_families[f]->probes[index];
		index -= probe_families[f]->count;
	}
	return NULL;
}

const char *probe_outcome_name(int outcome)
{
	switch (outcome) {
	case WORKED:
		return "worked";
	case UNCHANGED:
		return "changed nothing";
	case SIGSYS_DEATH:
		return "killed by SIGSYS";
	case OTHER_DEATH:
		return "killed by another signal";
	case WORLD_ENDED:
		return "ended the world";
	case HUNG:
		return "hung";
	}
	return strerror(outcome);
}

int probe_result(long r)
{
	return r < 0 ? -errno : 0;
}
