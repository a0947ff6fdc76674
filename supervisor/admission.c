#include "supervisor/admission.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "pool/pool.h"
#include "supervisor/pool_host.h"
#include "supervisor/supervisor.h"

int admission_memory_available(const char *meminfo, uint64_t *ret_bytes, struct error *err)
{
	const char *line = strstr(meminfo, "\nMemAvailable:");
	uint64_t kib;

	if (!line || sscanf(line, "\nMemAvailable: %" SCNu64 " kB", &kib) != 1)
		return error_set(err, ENODATA,
			"/proc/meminfo has no MemAvailable: set memory_budget in hearth.conf");
	*ret_bytes = kib * 1024;
	return 0;
}

uint64_t admission_lease_bytes(
	const struct supervisor_config *config, const struct pool_section *section)
{
	const struct jail_limits *limits = &section->limits;
	uint64_t bytes = limits->memory_bytes > 0 ? limits->memory_bytes : limits->disk_bytes;

	return bytes * config->overcommit / 1000;
}

static void report_pool(const struct supervisor *supervisor, const struct pool_host *pool)
{
	const struct pool_section *section = pool->section;
	uint64_t limit = supervisor->budget.limit_bytes;
	uint64_t idle = pool_idle_bytes(pool->pool), lease = pool_lease_bytes(pool->pool);

	if (lease > limit)
		log_warning("pool %s: a lease counts %" PRIu64 " bytes, memory_budget is %" PRIu64
			    ": none can be had: raise memory_budget, lower overcommit or the "
			    "pool's memory",
			section->name, lease, limit);
	else if (section->min > (limit - lease) / idle + 1)
		log_warning("pool %s: %u idle sandboxes and a lease do not fit memory_budget, "
			    "%" PRIu64 " bytes: raise it or lower min",
			section->name, section->min, limit);
}

void admission_report(const struct supervisor *supervisor)
{
	char bytes[24];

	if (supervisor->budget.limit_bytes == 0)
		return;
	snprintf(bytes, sizeof(bytes), "%" PRIu64, supervisor->budget.limit_bytes);
	log_event(LOG_LEVEL_INFO, "memory_budget", "bytes", bytes, NULL);
	for (uint32_t i = 0; i < supervisor->config.pool_count; i++)
		report_pool(supervisor, supervisor->pools[i]);
}

void admission_measured(struct pool_host *pool, uint64_t memory_bytes)
{
	if (memory_bytes == 0 || (pool->measured_bytes > 0 && memory_bytes >= pool->measured_bytes))
		return;
	pool->measured_bytes = memory_bytes;
	pool_set_idle_bytes(pool->pool, memory_bytes + ADMISSION_OUTSIDE_BYTES);
}

void admission_wake_others(const struct pool_host *pool)
{
	const struct supervisor *supervisor = pool->supervisor;

	for (uint32_t i = 0; i < supervisor->config.pool_count; i++) {
		struct pool_host *other = supervisor->pools[i];

		if (other != pool && pool_is_starved(other->pool) &&
			pool_budget_has(&supervisor->budget, pool_lease_bytes(other->pool)))
			pool_host_changed(other);
	}
}
