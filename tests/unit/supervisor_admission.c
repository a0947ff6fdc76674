/* What a supervisor promises of its host's memory, and how it says no. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "pool/pool.h"
#include "supervisor/admission.h"
#include "supervisor/pool_host.h"
#include "tests/unit/supervisor_world.h"

/* A lease counts 16 MiB, an idle sandbox half of one until it is measured. */
#define HOST	"[instance]\nbuilders = 1\nmemory_budget = "
#define POOL(n) "[pool \"" n "\"]\nmin = 2\nmax = 8\nmemory = 64M\n"

static struct control_pool_row pool_row(struct world *w, int client)
{
	struct answer row, next;

	world_query(client, CONTROL_POOLS, 5);
	row = world_expect(w, client, CONTROL_POOL_ROW, 5);
	do
		next = world_await(w, client);
	while (next.header.type == CONTROL_POOL_ROW);
	assert_int_equal(next.header.type, CONTROL_DONE);
	return row.pool;
}

static void a_lease_counts_its_limit_times_overcommit(void **state)
{
	struct world *w = world_open(HOST "1G\novercommit = 0.5\n" POOL("tiny"), NULL);
	int client = world_connect(w);
	struct control_pool_row row;
	struct answer a;

	(void)state;
	world_until_ready(w, 2);
	row = pool_row(w, client);
	assert_int_equal(row.budget_bytes, 1 << 30);
	assert_int_equal(row.lease_bytes, 32 << 20);
	assert_int_equal(row.idle_bytes, ADMISSION_UNMEASURED_BYTES + ADMISSION_OUTSIDE_BYTES);
	assert_int_equal(row.promised_bytes, 2 * row.idle_bytes);
	a = world_lease(w, client);
	world_until_ready(w, 2);
	assert_int_equal(pool_row(w, client).promised_bytes, row.lease_bytes + 2 * row.idle_bytes);
	close(a.fd);
	close(client);
	world_close(w);
}

static void without_a_limit_of_memory_the_disk_counts(void **state)
{
	struct supervisor_config config = {.overcommit = 250};
	struct pool_section section = {.limits = {.disk_bytes = 1 << 30}};

	(void)state;
	assert_int_equal(admission_lease_bytes(&config, &section), 1 << 28);
	section.limits.memory_bytes = 1 << 20;
	config.overcommit = 2000;
	assert_int_equal(admission_lease_bytes(&config, &section), 2 << 20);
}

static void beyond_the_budget_an_acquire_is_refused_with_the_numbers(void **state)
{
	struct world *w = world_open(HOST "20M\n" POOL("tiny"), NULL);
	int client = world_connect(w);
	struct answer a, refused;

	(void)state;
	world_until_ready(w, 2);
	a = world_lease(w, client);
	world_acquire(client, 2, "", ON_EMPTY_DEFAULT, 0);
	refused = world_expect(w, client, CONTROL_REFUSED, 2);
	assert_int_equal(refused.refused.refusal, REFUSED_LIMIT);
	assert_true(refused.refused.retry_ms > 0);
	assert_non_null(strstr(refused.refused.text, "memory_budget 20971520, promised 1"));
	assert_non_null(strstr(refused.refused.text, "a lease of tiny counts 16777216"));
	assert_non_null(strstr(refused.refused.text,
		"release leases, raise memory_budget, lower overcommit or the pool's memory"));
	/* Released, it counts until it is dead; then there is room again. */
	world_lease_request(client, CONTROL_RELEASE, 3, &a.leased.handle);
	world_expect(w, client, CONTROL_DONE, 3);
	world_expect(w, client, CONTROL_RECEIPT, 0);
	close(a.fd);
	close(world_lease(w, client).fd);
	close(client);
	world_close(w);
}

static bool first_is_starved(struct world *w, void *arg)
{
	(void)arg;
	return pool_is_starved(w->supervisor->pools[0]->pool);
}

static void a_pool_that_does_not_fit_says_so_and_is_not_broken(void **state)
{
	struct world *w = world_open(HOST "16640K\n" POOL("tiny") "build_concurrency = 1\n", NULL);
	int client = world_connect(w);
	struct control_pool_row row;

	(void)state;
	world_until(w, first_is_starved, NULL);
	world_until_ready(w, 1);
	row = pool_row(w, client);
	assert_string_equal(
		row.broken, "memory_budget is used up: 1 of 2 are ready, no more are built");
	assert_int_equal(row.build_failures, 0);
	close(world_lease(w, client).fd); /* the one that is there may be had */
	close(client);
	world_close(w);
}

static bool both_are_full(struct world *w, void *arg)
{
	struct pool_counters a, b;

	(void)arg;
	pool_get_counters(w->supervisor->pools[0]->pool, &a);
	pool_get_counters(w->supervisor->pools[1]->pool, &b);
	return a.ready == 2 && b.ready == 2;
}

/* Room for two leases and what both pools keep ready: for a third lease only when one has ended. */
static void pools_share_one_budget(void **state)
{
	struct world *w = world_open(HOST "40M\n" POOL("a") POOL("b"), NULL);
	int client = world_connect(w);
	struct answer first, second;

	(void)state;
	world_until(w, both_are_full, NULL);
	first = world_lease(w, client);
	world_acquire(client, 2, "b", ON_EMPTY_DEFAULT, 0);
	second = world_expect(w, client, CONTROL_LEASED, 2);
	world_acquire(client, 3, "b", ON_EMPTY_DEFAULT, 0);
	world_expect_refused(w, client, 3, REFUSED_LIMIT, "a lease of b counts");
	world_lease_request(client, CONTROL_RELEASE, 4, &first.leased.handle);
	world_expect(w, client, CONTROL_DONE, 4);
	world_expect(w, client, CONTROL_RECEIPT, 0);
	world_acquire(client, 5, "b", ON_EMPTY_DEFAULT, 0);
	close(world_expect(w, client, CONTROL_LEASED, 5).fd);
	close(first.fd);
	close(second.fd);
	close(client);
	world_close(w);
}

static void a_starved_pool_fills_when_another_has_room_to_give(void **state)
{
	struct world *w = world_open(HOST "20M\n" POOL("a") POOL("b"), NULL);
	int client = world_connect(w);
	struct answer lease;

	(void)state;
	world_until(w, both_are_full, NULL);
	lease = world_lease(w, client); /* none of b's is replaced now */
	close(client);
	world_until_leased(w, 0);
	world_until(w, both_are_full, NULL);
	close(lease.fd);
	world_close(w);
}

static void what_an_idle_sandbox_costs_is_measured(void **state)
{
	struct world *w = world_open(HOST "1G\n" POOL("tiny"), "memory=131072");
	int client = world_connect(w);
	struct control_pool_row row;

	(void)state;
	world_until_ready(w, 2);
	row = pool_row(w, client);
	assert_int_equal(row.idle_bytes, 131072 + ADMISSION_OUTSIDE_BYTES);
	close(client);
	world_close(w);
}

static void memory_available_is_read_from_meminfo(void **state)
{
	uint64_t bytes = 0;
	struct error err;

	(void)state;
	assert_int_equal(admission_memory_available("MemTotal:  9 kB\nMemFree:  1 kB\n"
						    "MemAvailable:   23171000 kB\nBuffers: 2 kB\n",
				 &bytes, &err),
		0);
	assert_int_equal(bytes, UINT64_C(23171000) * 1024);
	assert_int_equal(admission_memory_available("MemTotal: 9 kB\n", &bytes, &err), -ENODATA);
	assert_non_null(strstr(err.text, "set memory_budget"));
	assert_int_equal(
		admission_memory_available("a\nMemAvailable: x kB\n", &bytes, &err), -ENODATA);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lease_counts_its_limit_times_overcommit),
		cmocka_unit_test(without_a_limit_of_memory_the_disk_counts),
		cmocka_unit_test(beyond_the_budget_an_acquire_is_refused_with_the_numbers),
		cmocka_unit_test(a_pool_that_does_not_fit_says_so_and_is_not_broken),
		cmocka_unit_test(pools_share_one_budget),
		cmocka_unit_test(a_starved_pool_fills_when_another_has_room_to_give),
		cmocka_unit_test(what_an_idle_sandbox_costs_is_measured),
		cmocka_unit_test(memory_available_is_read_from_meminfo),
	};

	return cmocka_run_group_tests_name("supervisor_admission", tests, NULL, NULL);
}
