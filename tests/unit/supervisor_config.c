/* hearth.conf: what may stand in it, what is filled in, what is refused and how. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "images/image.h"
#include "supervisor/config.h"

static int load(const char *text, struct supervisor_config *config, struct error *err)
{
	char path[] = "/tmp/hearth-unit.XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(fd_write_full(fd, text, strlen(text)), 0);
	close(fd);
	r = supervisor_config_load(path, config, err);
	unlink(path);
	return r;
}

static void every_key_has_a_default(void **state)
{
	struct supervisor_config c;
	struct error err;

	(void)state;
	assert_int_equal(load("[pool \"base\"]\n", &c, &err), 0);
	assert_string_equal(c.store, IMAGE_STORE_DEFAULT);
	assert_string_equal(c.user, "hearth");
	assert_int_equal(c.builders, 2);
	assert_int_equal(c.memory_budget, 0);
	assert_int_equal(c.overcommit, 250);
	assert_false(c.strict);
	assert_int_equal(c.pool_count, 1);
	assert_string_equal(c.pools[0].name, "base");
	assert_string_equal(c.pools[0].image, "base");
	assert_string_equal(c.pools[0].net, "none");
	assert_int_equal(c.pools[0].profile, NETWORK_NONE);
	assert_int_equal(c.pools[0].min, 8);
	assert_int_equal(c.pools[0].max, 24);
	assert_int_equal(c.pools[0].build_concurrency, 2 * BUILDS_PER_BUILDER);
	assert_int_equal(c.pools[0].on_empty, ON_EMPTY_BUILD);
	assert_int_equal(c.pools[0].wait_ms, 10000);
	assert_int_equal(c.pools[0].lease_ms, 0);
	assert_int_equal(c.pools[0].idle_ms, 0);
	assert_int_equal(c.pools[0].limits.memory_bytes, 1 << 30);
	assert_int_equal(c.pools[0].limits.disk_bytes, 1 << 29);
	assert_int_equal(c.pools[0].limits.disk_inodes, 200000);
	assert_int_equal(c.pools[0].limits.pids, 512);
	assert_int_equal(c.pools[0].limits.cpu_milli, 0);
	assert_int_equal(c.pools[0].limits.open_files, 4096);
	assert_int_equal(c.pools[0].limits.cpu_weight, 100);
	assert_int_equal(c.pools[0].limits.io_read_bps, 0);
	assert_int_equal(c.pools[0].limits.io_write_bps, 0);
}

static void every_key_of_networks_and_workspaces_has_a_default(void **state)
{
	struct supervisor_config c;
	struct error err;

	(void)state;
	assert_int_equal(load("[pool \"base\"]\n", &c, &err), 0);
	assert_false(c.network.is_on);
	assert_int_equal(c.network.addresses.address, 0x0ad50000); /* 10.213.0.0 */
	assert_int_equal(c.network.addresses.prefix, 16);
	assert_int_equal(c.network.caps.connections, 4096);
	assert_int_equal(c.network.caps.new_per_second, 200);
	assert_int_equal(c.network.caps.names_per_second, 50);
	assert_int_equal(c.network.caps.bytes_per_second, 0);
	assert_int_equal(c.network.egress.except_count + c.network.egress.allow_count +
				 c.network.egress.domain_count + c.network.egress.resolver_count,
		0);
	assert_string_equal(c.workspaces.directory, "/var/lib/hearth/workspaces");
	assert_int_equal(c.workspaces.limit_bytes, 0);
}

static void every_key_of_networks_and_workspaces_is_read(void **state)
{
	struct supervisor_config c;
	struct error err;

	(void)state;
	assert_int_equal(load("[network]\nenabled = yes\naddresses = 100.64.0.0/12\n"
			      "connections = 1\nconnections_per_second = 2\nnames_per_second = 3\n"
			      "bandwidth = 4M\n[egress]\nexcept = 10.1.0.0/16, 10.2.0.0/16\n"
			      "allow = pypi.org\nexcept = 10.3.0.0/16\nallow = 198.51.100.0/24\n"
			      "resolvers = 10.1.0.53\n[workspaces]\ndirectory = /w\nlimit = 5G\n"
			      "[pool \"p\"]\n",
				 &c, &err),
		0);
	assert_true(c.network.is_on);
	assert_int_equal(c.network.addresses.prefix, 12);
	assert_int_equal(c.network.caps.connections, 1);
	assert_int_equal(c.network.caps.new_per_second, 2);
	assert_int_equal(c.network.caps.names_per_second, 3);
	assert_int_equal(c.network.caps.bytes_per_second, 4 << 20);
	assert_int_equal(c.network.egress.except_count, 3);
	assert_int_equal(c.network.egress.allow_count, 1);
	assert_string_equal(c.network.egress.domains, "pypi.org");
	assert_int_equal(c.network.egress.resolvers[0], 0x0a010035);
	assert_string_equal(c.workspaces.directory, "/w");
	assert_int_equal(c.workspaces.limit_bytes, UINT64_C(5) << 30);
}

static void a_pool_with_a_network_switches_networks_on(void **state)
{
	static const char *const nets[] = {"default", "allow", "open"};
	struct supervisor_config c;
	struct error err;
	char text[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nets); i++) {
		snprintf(text, sizeof(text), "[pool \"p\"]\n[pool \"q\"]\nnet = %s\n", nets[i]);
		assert_int_equal(load(text, &c, &err), 0);
		assert_true(c.network.is_on);
		assert_string_equal(network_profile_name(c.pools[1].profile), nets[i]);
	}
}

static const char every_key[] =
	"[instance]\nstore = /s\nuser = nobody\nbuilders = 3\nconnections_max = 4\n"
	"connections_per_uid = 5\nleases_per_connection = 6\nwaiters_per_connection = 7\n"
	"queue_bytes = 64K\nmemory_budget = 1G\novercommit = 1.5\nstrict = yes\n"
	"[pool \"p\"]\nimage = i\nmin = 1\nmax = 2\nbuild_concurrency = 3\non_empty = fail\n"
	"wait = 4s\nlease = 5m\nidle = 6s\nwaiters_max = 7\nmemory = 8M\npids = 9\ncpus = 0.5\n"
	"disk = 11M\ninodes = 112\nopen_files = 100\ncpu_weight = 13\nio_read = 14M\n"
	"io_write = 15K\nnet = none\nhostname = h\n[pool \"q\"]\nmemory = 0\n";

static void every_key_of_the_instance_is_read(void **state)
{
	struct supervisor_config c;
	struct error err;

	(void)state;
	assert_int_equal(load(every_key, &c, &err), 0);
	assert_string_equal(c.store, "/s");
	assert_string_equal(c.user, "nobody");
	assert_int_equal(c.builders, 3);
	assert_int_equal(c.connections_max, 4);
	assert_int_equal(c.connections_per_uid, 5);
	assert_int_equal(c.leases_per_connection, 6);
	assert_int_equal(c.waiters_per_connection, 7);
	assert_int_equal(c.queue_bytes, 65536);
	assert_int_equal(c.memory_budget, 1 << 30);
	assert_int_equal(c.overcommit, 1500);
	assert_true(c.strict);
	assert_int_equal(c.pool_count, 2);
	assert_int_equal(supervisor_config_slots(&c), 2 + 24);
}

static void every_key_of_a_pool_is_read(void **state)
{
	struct supervisor_config c;
	const struct pool_section *pool = &c.pools[0];
	struct error err;

	(void)state;
	assert_int_equal(load(every_key, &c, &err), 0);
	assert_string_equal(pool->image, "i");
	assert_int_equal(pool->min, 1);
	assert_int_equal(pool->max, 2);
	assert_int_equal(pool->build_concurrency, 3);
	assert_int_equal(pool->on_empty, ON_EMPTY_FAIL);
	assert_int_equal(pool->wait_ms, 4000);
	assert_int_equal(pool->lease_ms, 300000);
	assert_int_equal(pool->idle_ms, 6000);
	assert_int_equal(pool->waiters_max, 7);
	assert_int_equal(pool->limits.memory_bytes, 8 << 20);
	assert_int_equal(pool->limits.pids, 9);
	assert_int_equal(pool->limits.cpu_milli, 500);
	assert_int_equal(pool->limits.cpu_weight, 13);
	assert_int_equal(pool->limits.disk_bytes, 11 << 20);
	assert_int_equal(pool->limits.disk_inodes, 112);
	assert_int_equal(pool->limits.open_files, 100);
	assert_int_equal(pool->limits.io_read_bps, 14 << 20);
	assert_int_equal(pool->limits.io_write_bps, 15 << 10);
	assert_string_equal(pool->hostname, "h");
	assert_int_equal(c.pools[1].limits.disk_bytes, 1 << 30); /* no memory limit to halve */
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
	static const struct {
		const char *text, *says;
	} wrong[] = {
		{"", "no pool: add a section [pool \"NAME\"]"},
		{"[pool \"p\"]\nimag = x\n", ":2: "},
		{"[pool \"p\"]\nimag = x\n", "did you mean 'image'?"},
		{"[pools \"p\"]\n", ":1: "},
		{"[pool \"p\"]\nmin = many\n", ":2: "},
		{"[pool \"p\"]\nmin = 3\nmax = 2\n", "[pool \"p\"]: min 3 is more than max 2"},
		{"[pool \"p\"]\nnet = ope\n",
			":2: [pool \"p\"] net = ope: no such network profile: "
			"there are: none, default, allow, open"},
		{"[pool \"p\"]\nmemory = 1M\n", ":2: [pool \"p\"] memory = 1M: less than 4M"},
		{"[pool \"p\"]\ncpus = 0.009\n", ":2: [pool \"p\"] cpus = 0.009: less than 0.01"},
		{"[pool \"p\"]\ninodes = 63\n",
			":2: [pool \"p\"] inodes = 63: want a whole number from 64"},
		{"[pool \"P\"]\n", ":1: "},
		{"[pool \"a234567890123456789012345678901234567890\"]\n", ":1: pool name 'a23"},
		{"[pool \"p\"]\non_empty = panic\n", ":2: "},
		{"[pool \"p\"]\nlease = 2d\n", ":2: "},
		{"[instance]\nbuilders = 0\n[pool \"p\"]\n", ":2: "},
		{"[instance]\nstore = here\n[pool \"p\"]\n",
			":2: [instance] store = here: want an absolute path"},
		{"[pool \"p\"]\nmin = 9000\n", "max of all pools is 18008 together"},
		{"[instance]\novercommit = 0.009\n", ":2: "},
		{"[instance]\novercommit = 101\n", ":2: "},
		{"[pool \"p\"]\ncpu_weight = 0\n", ":2: "},
		{"[pool \"p\"]\ncpu_weight = 10001\n", ":2: "},
		{"[pool \"p\"]\n[pool \"p\"]\n", ":2: "},
		{"[network]\nenabled = maybe\n[pool \"p\"]\n", ":2: "},
		{"[network]\nenabled = no\n[pool \"p\"]\nnet = open\n",
			"[pool \"p\"]: net open, but [network] enabled = no"},
		{"[network]\naddresses = 10.0.0.0/33\n[pool \"p\"]\n",
			":2: [network] addresses = 10.0.0.0/33: '10.0.0.0/33': want a prefix"},
		{"[network]\naddresses = 10.213.0.0/16 and more\n[pool \"p\"]\n", ":2: "},
		{"[network]\nconnections_per_second = 2000000\n[pool \"p\"]\n", ":2: "},
		{"[egress]\nexcept = 10.0.0.0/8, ten\n[pool \"p\"]\n",
			":2: [egress] except = 10.0.0.0/8, ten: except: 'ten': want an IPv4 "
			"address"},
		{"[egress]\nallow = pypi.org\nallow = com\n[pool \"p\"]\n",
			":3: [egress] allow = com: allow: 'com'"},
		{"[egress]\nresolvers = ::1\n[pool \"p\"]\n",
			":2: [egress] resolvers = ::1: resolvers: '::1': IPv6"},
		{"[workspaces]\ndirectory = here\n[pool \"p\"]\n",
			":2: [workspaces] directory = here: want an absolute path"},
		{"[workspaces]\ndirectory = /x # fast disk\n[pool \"p\"]\n",
			":2: [workspaces] directory = /x # fast disk: a comment behind a value "
			"begins "
			"with ;"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct supervisor_config c;
		struct error err;

		assert_int_equal(load(wrong[i].text, &c, &err), -EINVAL);
		if (!strstr(err.text, wrong[i].says))
			fail_msg("'%s' is not in '%s'", wrong[i].says, err.text);
	}
}

static void what_no_sandbox_could_have_as_an_address_is_named(void **state)
{
	static const struct {
		const char *range, *says;
	} wrong[] = {
		{"0.0.0.0/0", "0.0.0.0/8 (no address)"},
		{"0.4.0.0/16", "0.0.0.0/8 (no address)"},
		{"127.0.0.0/16", "127.0.0.0/8 (loopback)"},
		{"126.0.0.0/7", "127.0.0.0/8 (loopback)"},
		{"169.254.0.0/16", "169.254.0.0/16 (link-local)"},
		{"169.254.128.0/17", "169.254.0.0/16 (link-local)"},
		{"224.0.0.0/4", "224.0.0.0/3 (multicast, reserved)"},
		{"240.0.0.0/4", "224.0.0.0/3 (multicast, reserved)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct supervisor_config c;
		struct error err;
		char text[128];

		snprintf(text, sizeof(text), "[network]\naddresses = %s\n[pool \"p\"]\n",
			wrong[i].range);
		assert_int_equal(load(text, &c, &err), -EINVAL);
		assert_non_null(strstr(err.text, ":2: [network] addresses"));
		if (!strstr(err.text, wrong[i].says))
			fail_msg("'%s' is not in '%s'", wrong[i].says, err.text);
	}
}

static void the_least_limits_are_accepted(void **state)
{
	struct supervisor_config c;
	struct error err;

	(void)state;
	assert_int_equal(load("[network]\naddresses = 126.0.0.0/8\n"
			      "[pool \"p\"]\nmemory = 4M\ncpus = 0.01\ninodes = 64\n",
				 &c, &err),
		0);
	assert_int_equal(c.pools[0].limits.cpu_milli, POOL_CPU_LEAST);
	assert_int_equal(c.pools[0].limits.disk_inodes, POOL_INODES_LEAST);
}

static void more_pools_than_templates_are_refused(void **state)
{
	char text[1024] = "";
	struct supervisor_config c;
	struct error err;

	(void)state;
	for (int i = 0; i <= JAIL_TEMPLATES_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "[pool \"p%d\"]\n", i);
	assert_int_equal(load(text, &c, &err), -EINVAL);
	assert_non_null(strstr(err.text, "more than 16 pools"));
}

static void a_file_that_is_not_there_is_told_apart(void **state)
{
	struct supervisor_config c;
	struct error err;

	(void)state;
	assert_int_equal(supervisor_config_load("/nonexistent/hearth.conf", &c, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_has_a_default),
		cmocka_unit_test(every_key_of_networks_and_workspaces_has_a_default),
		cmocka_unit_test(every_key_of_networks_and_workspaces_is_read),
		cmocka_unit_test(a_pool_with_a_network_switches_networks_on),
		cmocka_unit_test(every_key_of_the_instance_is_read),
		cmocka_unit_test(every_key_of_a_pool_is_read),
		cmocka_unit_test(what_is_wrong_is_said_with_its_place),
		cmocka_unit_test(what_no_sandbox_could_have_as_an_address_is_named),
		cmocka_unit_test(the_least_limits_are_accepted),
		cmocka_unit_test(more_pools_than_templates_are_refused),
		cmocka_unit_test(a_file_that_is_not_there_is_told_apart),
	};

	return cmocka_run_group_tests_name("supervisor_config", tests, NULL, NULL);
}
