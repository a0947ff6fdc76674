#include "nsjail-lite/jail.h"

const char *jail_stage_name(uint32_t stage)
{
	static const char *const names[STAGE_COUNT] = {
		[STAGE_CGROUP] = "cgroup",
		[STAGE_ROOT] = "root",
		[STAGE_CLONE] = "clone",
		[STAGE_JOIN] = "join",
		[STAGE_MOUNTS] = "mounts",
		[STAGE_MASKS] = "masks",
		[STAGE_PIVOT] = "pivot",
		[STAGE_USERNS] = "userns",
		[STAGE_CREDENTIALS] = "credentials",
		[STAGE_SECCOMP] = "seccomp",
		[STAGE_READY] = "ready",
	};

	return stage < STAGE_COUNT ? names[stage] : "?";
}
