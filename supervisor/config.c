#include "supervisor/config.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/config.h"
#include "base/error.h"
#include "base/text.h"
#include "images/image.h"

#define MEBIBYTE    (UINT64_C(1) << 20)
#define TEBIBYTE    (UINT64_C(1) << 40)
#define DISK_NO_MEM (1024 * MEBIBYTE) /* disk limit when there is no memory limit to halve */

#define WORKSPACES_DEFAULT "/var/lib/hearth/workspaces"

static const struct config_choice enabled_choices[] = {
	{"auto", NETWORK_ENABLED_AUTO},
	{"yes", NETWORK_ENABLED_YES},
	{"no", NETWORK_ENABLED_NO},
	{NULL, 0},
};

static const struct config_choice on_empty_choices[] = {
	{"build", ON_EMPTY_BUILD},
	{"wait", ON_EMPTY_WAIT},
	{"fail", ON_EMPTY_FAIL},
	{NULL, 0},
};

/* A new [pool "NAME"]. */
static int add_pool(void *arg, const char *name, void **ret_element, struct error *err)
{
	struct supervisor_config *config = arg;
	struct pool_section *pool;

	if (config->pool_count == JAIL_TEMPLATES_MAX)
		return error_set(err, EINVAL, "more than %d pools", JAIL_TEMPLATES_MAX);
	if (!text_is_name(name, CONTROL_NAME_MAX - 1))
		return error_set(err, EINVAL,
			"pool name '%s': want 1 to %d of a-z, 0-9, '.', '_', '-', a letter or "
			"digit first",
			name, CONTROL_NAME_MAX - 1);
	pool = &config->pools[config->pool_count++];
	memcpy(pool->name, name, strlen(name) + 1);
	*ret_element = pool;
	return 0;
}

static int check_path(const void *field, struct error *err)
{
	const char *path = field;

	if (path[0] == '\0' || path[0] == '/')
		return 0;
	return error_set(err, EINVAL, "want an absolute path");
}

static int check_addresses(const void *field, struct error *err)
{
	static const struct {
		struct network_cidr cidr;
		const char *what;
	} unusable[] = {
		{{0x00000000, 8}, "0.0.0.0/8 (no address)"},
		{{0x7f000000, 8}, "127.0.0.0/8 (loopback)"},
		{{0xa9fe0000, 16}, "169.254.0.0/16 (link-local)"},
		{{0xe0000000, 3}, "224.0.0.0/3 (multicast, reserved)"},
	};
	struct network_cidr range;
	int r = egress_parse_cidr(field, &range, err);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(unusable); i++)
		if (network_contains(&range, 1, unusable[i].cidr.address) ||
			network_contains(&unusable[i].cidr, 1, range.address))
			return error_set(err, EINVAL,
				"sandboxes cannot be in %s: want a private range",
				unusable[i].what);
	return r;
}

static int check_except(const void *field, struct error *err)
{
	struct egress egress;

	return egress_parse(field, "", "", &egress, err);
}

static int check_allow(const void *field, struct error *err)
{
	struct egress egress;

	return egress_parse("", field, "", &egress, err);
}

static int check_resolvers(const void *field, struct error *err)
{
	struct egress egress;

	return egress_parse("", "", field, &egress, err);
}

static int check_memory(const void *field, struct error *err)
{
	const uint64_t *bytes = field;

	if (*bytes == 0 || *bytes >= POOL_MEMORY_LEAST)
		return 0;
	return error_set(err, EINVAL, "less than 4M runs nothing: want 0, no limit, or more");
}

static int check_cpus(const void *field, struct error *err)
{
	const uint64_t *milli = field;

	if (*milli == 0 || *milli >= POOL_CPU_LEAST)
		return 0;
	return error_set(err, EINVAL, "less than 0.01 is no limit for the kernel: want 0 or more");
}

static int check_net(const void *field, struct error *err)
{
	if (network_profile_find(field))
		return 0;
	return error_set(err, EINVAL, "no such network profile: there are: " NETWORK_PROFILE_NAMES);
}

static const struct config_section sections[] = {
	{"instance", NULL},
	{"network", NULL},
	{"egress", NULL},
	{"workspaces", NULL},
	{"pool", add_pool},
};

#define OF_CONFIG(section, key, type, member, ...)                                                 \
	{                                                                                          \
		section, key, type, CONFIG_FIELD(struct supervisor_config, member), __VA_ARGS__    \
	}
#define INSTANCE(...)	OF_CONFIG("instance", __VA_ARGS__)
#define NETWORK(...)	OF_CONFIG("network", __VA_ARGS__)
#define EGRESS(...)	OF_CONFIG("egress", __VA_ARGS__)
#define WORKSPACES(...) OF_CONFIG("workspaces", __VA_ARGS__)
#define POOL(key, type, member, ...)                                                               \
	{                                                                                          \
		"pool", key, type, CONFIG_FIELD(struct pool_section, member), __VA_ARGS__          \
	}

static const struct config_option options[] = {
	INSTANCE("store", CONFIG_STRING, store, 1, 0, IMAGE_STORE_DEFAULT, NULL,
		"Directory of the images.", check_path),
	INSTANCE("user", CONFIG_NAME, user, 0, 0, "hearth", NULL,
		"User that may use the control socket besides root; its group owns the socket."),
	INSTANCE("builders", CONFIG_NUMBER, builders, 1, BUILDERS_MAX, "2", NULL,
		"Builder processes; each builds one sandbox at a time."),
	INSTANCE("connections_max", CONFIG_NUMBER, connections_max, 1, 4096, "256", NULL,
		"Connections to the control socket in all."),
	INSTANCE("connections_per_uid", CONFIG_NUMBER, connections_per_uid, 1, 4096, "128", NULL,
		"Connections to the control socket of one user."),
	INSTANCE("leases_per_connection", CONFIG_NUMBER, leases_per_connection, 1, JAIL_SLOTS_MAX,
		"16384", NULL, "Sandboxes that one connection may hold."),
	INSTANCE("waiters_per_connection", CONFIG_NUMBER, waiters_per_connection, 1, JAIL_SLOTS_MAX,
		"1024", NULL, "Acquires of one connection that may wait at a time."),
	INSTANCE("queue_bytes", CONFIG_SIZE, queue_bytes, 64 * 1024, 64 * MEBIBYTE, "4M", NULL,
		"Answers that may wait for one connection to read them."),
	INSTANCE("memory_budget", CONFIG_SIZE, memory_budget, 0, 1024 * TEBIBYTE, "0", NULL,
		"Memory that all pools may promise together; 0: nine tenths of what is free."),
	INSTANCE("overcommit", CONFIG_MILLI_CPU, overcommit, 10, 100 * 1000, "0.25", NULL,
		"How much of its memory a leased sandbox counts of the budget, 1 is all."),
	INSTANCE("strict", CONFIG_BOOL, strict, 0, 0, "no", NULL,
		"Do not start when the host cannot enforce a limit that is asked for."),

	NETWORK("enabled", CONFIG_CHOICE, network.enabled, 0, 0, "auto", enabled_choices,
		"Whether sandboxes have networks; auto: if the net of a pool is not none."),
	NETWORK("addresses", CONFIG_STRING, network.addresses_text, 1, 0, "10.213.0.0/16", NULL,
		"Addresses of all sandboxes; nothing else of the host may be there.",
		check_addresses),
	NETWORK("connections", CONFIG_NUMBER, network.caps.connections, 0, 0, "4096", NULL,
		"Connections of one sandbox at a time; 0: no limit."),
	NETWORK("connections_per_second", CONFIG_NUMBER, network.caps.new_per_second, 0, 1000000,
		"200", NULL, "New connections of one sandbox, twice as many at once; 0: no limit."),
	NETWORK("names_per_second", CONFIG_NUMBER, network.caps.names_per_second, 0, 100000, "50",
		NULL, "DNS queries of one sandbox, ten times as many at once; 0: no limit."),
	NETWORK("bandwidth", CONFIG_SIZE, network.caps.bytes_per_second, 0, TEBIBYTE, "0", NULL,
		"Bytes a second of one sandbox each way; 0: no limit."),

	EGRESS("except", CONFIG_LIST, network.except_text, 0, 0, "", NULL,
		"Private address ranges that default reaches all the same, and that names may "
		"resolve to.",
		check_except),
	EGRESS("allow", CONFIG_LIST, network.allow_text, 0, 0, "", NULL,
		"Address ranges and names that the profile allow reaches.", check_allow),
	EGRESS("resolvers", CONFIG_LIST, network.resolvers_text, 0, 0, "", NULL,
		"Addresses of DNS servers to ask; none: those of the host's resolv.conf.",
		check_resolvers),

	WORKSPACES("directory", CONFIG_STRING, workspaces.directory, 0, 0, WORKSPACES_DEFAULT, NULL,
		"Where workspaces are, made when missing; empty: there are none.", check_path),
	WORKSPACES("limit", CONFIG_SIZE, workspaces.limit_bytes, 0, 1024 * TEBIBYTE, "0", NULL,
		"What one workspace may hold; 0: no limit."),

	POOL("image", CONFIG_NAME, image, 0, 0, "", NULL, "Image of its sandboxes."),
	POOL("min", CONFIG_NUMBER, min, 0, JAIL_SLOTS_MAX, "8", NULL,
		"Ready sandboxes that are kept."),
	POOL("max", CONFIG_NUMBER, max, 0, JAIL_SLOTS_MAX, "0", NULL,
		"Sandboxes in all, whatever their state; 0: twice min and 8 more."),
	POOL("target_max", CONFIG_NUMBER, target_max, 0, JAIL_SLOTS_MAX, "0", NULL,
		"Ready sandboxes that demand may ask for, where that is more than min; 0: max."),
	POOL("ttl", CONFIG_DURATION, ttl_ms, 0, UINT64_C(30) * CONTROL_DEADLINE_MAX, "0", NULL,
		"How long a sandbox may wait for a lease before a new one takes its place; 0: for "
		"ever."),
	POOL("build_concurrency", CONFIG_NUMBER, build_concurrency, 0, 64, "0", NULL,
		"Builds of this pool that may be under way at a time; 0: two per builder."),
	POOL("on_empty", CONFIG_CHOICE, on_empty, 0, 0, "build", on_empty_choices,
		"What an acquire does when none is ready."),
	POOL("wait", CONFIG_DURATION, wait_ms, 1, CONTROL_DEADLINE_MAX, "10s", NULL,
		"How long an acquire may wait at most."),
	POOL("lease", CONFIG_DURATION, lease_ms, 0, CONTROL_DEADLINE_MAX, "0", NULL,
		"How long a lease may last; 0: as long as its connection."),
	POOL("idle", CONFIG_DURATION, idle_ms, 0, CONTROL_DEADLINE_MAX, "0", NULL,
		"How long a lease may go without a touch before it is frozen; 0: for ever."),
	POOL("frozen", CONFIG_DURATION, frozen_ms, 0, CONTROL_DEADLINE_MAX, "0", NULL,
		"How long a lease may be frozen before it ends; 0: as long as it may be idle."),
	POOL("waiters_max", CONFIG_NUMBER, waiters_max, 0, JAIL_SLOTS_MAX, "1024", NULL,
		"Acquires that may wait at a time."),
	POOL("memory", CONFIG_SIZE, limits.memory_bytes, 0, 16 * TEBIBYTE, "1G", NULL,
		"Memory of one sandbox, its files included; 0: no limit.", check_memory),
	POOL("pids", CONFIG_NUMBER, limits.pids, 0, 1u << 22, "512", NULL,
		"Processes and threads of one sandbox; 0: no limit."),
	POOL("cpus", CONFIG_MILLI_CPU, limits.cpu_milli, 0, 1024 * 1000, "0", NULL,
		"CPUs of one sandbox, such as 1.5; 0: no limit.", check_cpus),
	POOL("cpu_weight", CONFIG_NUMBER, limits.cpu_weight, 1, 10000, "100", NULL,
		"Its share of the CPUs beside others, when all want them."),
	POOL("io_read", CONFIG_SIZE, limits.io_read_bps, 0, 16 * TEBIBYTE, "0", NULL,
		"Bytes a second that one sandbox may read from the disk; 0: no limit."),
	POOL("io_write", CONFIG_SIZE, limits.io_write_bps, 0, 16 * TEBIBYTE, "0", NULL,
		"Bytes a second that one sandbox may write to the disk; 0: no limit."),
	POOL("disk", CONFIG_SIZE, limits.disk_bytes, 0, 16 * TEBIBYTE, "0", NULL,
		"What one sandbox may write; 0: half of its memory."),
	POOL("inodes", CONFIG_NUMBER, limits.disk_inodes, POOL_INODES_LEAST, 1u << 30, "200000",
		NULL, "Files that one sandbox may make."),
	POOL("open_files", CONFIG_NUMBER, limits.open_files, 64, 1u << 20, "4096", NULL,
		"Descriptors of one process inside."),
	POOL("net", CONFIG_NAME, net, 0, 0, "none", NULL,
		"What its sandboxes reach: " NETWORK_PROFILE_NAMES ".", check_net),
	POOL("hostname", CONFIG_NAME, hostname, 0, 0, "sandbox", NULL,
		"Host name inside the sandbox."),
};

static const struct config_schema schema = {
	.sections = sections,
	.section_count = ARRAY_SIZE(sections),
	.options = options,
	.option_count = ARRAY_SIZE(options),
};

/* What no single key can tell; what one can, the checks above have. */
static int judge_pool(
	const struct supervisor_config *config, struct pool_section *pool, struct error *err)
{
	if (pool->image[0] == '\0')
		memcpy(pool->image, pool->name, sizeof(pool->image));
	if (pool->max == 0)
		pool->max = 2 * pool->min + 8;
	if (pool->build_concurrency == 0)
		pool->build_concurrency = BUILDS_PER_BUILDER * config->builders;
	if (pool->min > pool->max)
		return error_set(err, EINVAL, "min %u is more than max %u", pool->min, pool->max);
	pool->profile = network_profile_find(pool->net);
	if (pool->limits.disk_bytes == 0)
		pool->limits.disk_bytes =
			pool->limits.memory_bytes > 0 ? pool->limits.memory_bytes / 2 : DISK_NO_MEM;
	return 0;
}

static int judge_network(struct supervisor_config *config, struct error *err)
{
	struct network_config *network = &config->network;
	int r;

	network->is_on = network->enabled == NETWORK_ENABLED_YES;
	for (uint32_t i = 0; i < config->pool_count; i++) {
		if (config->pools[i].profile == NETWORK_NONE)
			continue;
		if (network->enabled == NETWORK_ENABLED_NO)
			return error_set(err, EINVAL,
				"[pool \"%s\"]: net %s, but [network] enabled = no",
				config->pools[i].name, config->pools[i].net);
		network->is_on = true;
	}
	r = egress_parse_cidr(network->addresses_text, &network->addresses, err);
	if (r < 0)
		return error_prefix(err, r, "[network] addresses");
	r = egress_parse(network->except_text, network->allow_text, network->resolvers_text,
		&network->egress, err);
	return r < 0 ? error_prefix(err, r, "[egress]") : 0;
}

static int judge(struct supervisor_config *config, struct error *err)
{
	int r;

	if (config->pool_count == 0)
		return error_set(err, EINVAL, "no pool: add a section [pool \"NAME\"]");
	for (uint32_t i = 0; i < config->pool_count; i++) {
		r = judge_pool(config, &config->pools[i], err);
		if (r < 0)
			return error_prefix(err, r, "[pool \"%s\"]", config->pools[i].name);
	}
	if (supervisor_config_slots(config) > JAIL_SLOTS_MAX)
		return error_set(err, EINVAL, "max of all pools is %u together, more than %d",
			supervisor_config_slots(config), JAIL_SLOTS_MAX);
	return judge_network(config, err);
}

int supervisor_config_load(
	const char *path, struct supervisor_config *ret_config, struct error *err)
{
	int r;

	*ret_config = (struct supervisor_config){0};
	r = config_load(path, &schema, ret_config, err);
	if (r < 0)
		return r;
	r = judge(ret_config, err);
	return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}

uint32_t supervisor_config_slots(const struct supervisor_config *config)
{
	uint32_t slots = 0;

	for (uint32_t i = 0; i < config->pool_count; i++)
		slots += config->pools[i].max;
	return slots;
}
