/*
 * build_bench - how long a sandbox takes to be built and destroyed, stage by stage, and what an idle one
 * costs in memory. Root; one builder, recycled slots; nothing here is a test.
 *
 *   build_bench [-n BUILDS] [-p PAUSE_US] [-k IDLE] [-j BUILDERS]
 *
 * -n builds (default 1000) on 8 slots in turn, -p idle microseconds before each, -k sandboxes alive at
 * once for the memory figure (default 200; 0: skip it), -j builders that create, exec `true` and destroy side by
 * side (default 2; 0: skip it), each in a closed loop of a process of its own. A round trip is what the
 * builder's client waits for.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/number.h"
#include "tests/system/jail_fixture.h"

#define SLOTS	     8
#define BUILDERS_MAX 64

static struct histogram *stages[STAGE_COUNT], *total, *built, *destroy, *ended, *spawn;

static void nap_us(uint64_t us)
{
	struct timespec nap = {
		.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};

	if (us)
		nanosleep(&nap, NULL);
}

/* The floor: what fork, exit and wait of this small program cost without anything around them. */
static void measure_floor(unsigned n, uint64_t pause_us)
{
	for (unsigned i = 0; i < n; i++) {
		uint64_t before;
		pid_t pid;

		nap_us(pause_us);
		before = clock_now_ns();
		pid = fork();
		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
		histogram_record(spawn, clock_now_ns() - before);
	}
}

static void build_and_destroy(struct fixture *f, unsigned n, uint64_t pause_us)
{
	for (unsigned i = 0; i < n; i++) {
		struct guest_client *client;
		uint64_t before;

		nap_us(pause_us);
		before = clock_now_ns();
		if (fixture_build(f, i % SLOTS, &client) < 0)
			fail_msg("%s", f->failed.text);
		histogram_record(built, clock_now_ns() - before);
		for (int s = 0; s < STAGE_COUNT; s++)
			histogram_record(stages[s], f->built.stages.ns[s]);
		histogram_record(total, f->built.stages.total_ns);
		before = clock_now_ns();
		fixture_kill(f);
		histogram_record(ended, clock_now_ns() - before);
		histogram_record(destroy, f->ended.kill_ns);
		guest_client_destroy(client);
	}
}

/* In a process of its own: say that the builder is there, wait for the word, go, say that it is over. */
static void churn_one(int ready_fd, int go_fd, unsigned n)
{
	struct fixture_options options = {
		.limits = {.memory_bytes = 256 << 20, .pids = 64}, .slots = SLOTS};
	static struct fixture_result result;
	struct fixture f;
	char byte = 0;

	fixture_start(&f, &options);
	assert_int_equal(write(ready_fd, &byte, 1), 1);
	assert_int_equal(read(go_fd, &byte, 1), 1);
	for (unsigned i = 0; i < n; i++) {
		struct guest_client *client;

		if (fixture_build(&f, i % SLOTS, &client) < 0)
			fail_msg("%s", f.failed.text);
		fixture_run_ok(client, "true", &result);
		fixture_kill(&f);
		guest_client_destroy(client);
	}
	assert_int_equal(write(ready_fd, &byte, 1), 1);
	fixture_stop(&f);
}

static void await_bytes(int fd, unsigned count)
{
	char byte;

	while (count-- > 0)
		assert_int_equal(read(fd, &byte, 1), 1);
}

static void measure_churn(unsigned count, unsigned n)
{
	int ready[2], go[2];
	uint64_t before, ns;

	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	for (unsigned i = 0; i < count; i++)
		if (fork() == 0) {
			churn_one(ready[1], go[0], n);
			_exit(0);
		}
	close(ready[1]); /* one that fails ends the wait */
	await_bytes(ready[0], count);
	before = clock_now_ns();
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(write(go[1], "g", 1), 1);
	await_bytes(ready[0], count);
	ns = clock_now_ns() - before;
	for (unsigned i = 0; i < count; i++)
		wait(NULL);
	printf("churn (create, exec true, destroy), %u builders: %.0f/s (n=%u)\n", count,
		(double)(count * n) * 1e9 / (double)ns, count * n);
	close(ready[0]);
	close(go[0]);
	close(go[1]);
}

static uint64_t available_kib(void)
{
	FILE *meminfo = fopen("/proc/meminfo", "r");
	char line[128];
	uint64_t kib = 0;

	while (meminfo && fgets(line, sizeof(line), meminfo))
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) == 1)
			break;
	if (meminfo)
		fclose(meminfo);
	return kib;
}

/* Slots are made within the measured span: their namespaces are part of what an idle sandbox costs. */
static void measure_memory(unsigned count)
{
	struct fixture_options options = {
		.limits = {.memory_bytes = 256 << 20, .pids = 64}, .slots = count};
	uint64_t before = available_kib(), after;
	struct guest_client **clients = calloc(count, sizeof(struct guest_client *));
	struct fixture f;

	assert_non_null(clients);
	fixture_start(&f, &options);
	for (unsigned i = 0; i < count; i++)
		if (fixture_build(&f, i, &clients[i]) < 0)
			fail_msg("%s", f.failed.text);
	after = available_kib();
	printf("memory of an idle sandbox, all in: %" PRIu64 " KiB (MemAvailable, n=%u)\n",
		before > after ? (before - after) / count : 0, count);
	for (unsigned i = 0; i < count; i++)
		guest_client_destroy(clients[i]);
	free(clients);
	fixture_stop(&f);
}

static void print_row(const char *name, const struct histogram *h)
{
	printf("  %-12s %8.1f %8.1f\n", name, (double)histogram_percentile(h, 50) / 1e3,
		(double)histogram_percentile(h, 99) / 1e3);
}

static uint64_t builds = 1000, pause_us, idle = 200, builders = 2;

static int parse(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "n:p:k:j:")) != -1) {
		uint64_t *value = option == 'n'	  ? &builds
				  : option == 'p' ? &pause_us
				  : option == 'k' ? &idle
						  : &builders;

		if (option == '?' || number_parse(optarg, 0, 1000000, value) < 0)
			return -1;
	}
	return builds && idle <= FIXTURE_SLOTS_MAX && builders <= BUILDERS_MAX ? 0 : -1;
}

static void bench(void **state)
{
	struct fixture_options options = {
		.limits = {.memory_bytes = 256 << 20, .pids = 64}, .slots = SLOTS};
	struct fixture f;

	(void)state;
	measure_floor((unsigned)builds, pause_us);
	fixture_start(&f, &options);
	build_and_destroy(&f, (unsigned)builds, pause_us);
	fixture_stop(&f);
	printf("n=%" PRIu64 ", pause %" PRIu64 " us        p50      p99 (us)\n", builds, pause_us);
	for (uint32_t s = 0; s < STAGE_COUNT; s++)
		print_row(jail_stage_name(s), stages[s]);
	print_row("build", total);
	print_row("round trip", built);
	print_row("destroy", destroy);
	print_row("round trip", ended);
	print_row("floor: fork", spawn);
	if (builders)
		measure_churn((unsigned)builders, (unsigned)builds);
	if (idle)
		measure_memory((unsigned)idle);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(bench)};
	if (parse(argc, argv) < 0) {
		fprintf(stderr,
			"usage: build_bench [-n BUILDS] [-p PAUSE_US] [-k IDLE (at most %d)] "
			"[-j BUILDERS (at most %d)]\n",
			FIXTURE_SLOTS_MAX, BUILDERS_MAX);
		return 2;
	}
	total = histogram_create();
	built = histogram_create();
	destroy = histogram_create();
	ended = histogram_create();
	spawn = histogram_create();
	for (int i = 0; i < STAGE_COUNT; i++)
		stages[i] = histogram_create();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
