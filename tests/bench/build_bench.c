/*
 * build_bench - how long a sandbox takes to be built and destroyed, stage by stage, and what an idle one
 * costs in memory. Root; one builder, recycled slots; nothing here is a test.
 *
 *   build_bench [-n BUILDS] [-p PAUSE_US] [-k IDLE]
 *
 * -n builds (default 1000) on 8 slots in turn, -p idle microseconds before each, -k sandboxes alive at
 * once for the memory figure (default 200; 0: skip it).
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

#define SLOTS 8

static struct histogram *stages[STAGE_COUNT], *total, *destroy, *spawn;

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

		nap_us(pause_us);
		if (fixture_build(f, i % SLOTS, &client) < 0)
			fail_msg("%s", f->failed.text);
		for (int s = 0; s < STAGE_COUNT; s++)
			histogram_record(stages[s], f->built.stages.ns[s]);
		histogram_record(total, f->built.stages.total_ns);
		fixture_kill(f);
		histogram_record(destroy, f->ended.kill_ns);
		guest_client_destroy(client);
	}
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

static uint64_t builds = 1000, pause_us, idle = 200;

static int parse(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "n:p:k:")) != -1) {
		uint64_t *value = option == 'n' ? &builds : option == 'p' ? &pause_us : &idle;

		if (option == '?' || number_parse(optarg, 0, 1000000, value) < 0)
			return -1;
	}
	return builds && idle <= FIXTURE_SLOTS_MAX ? 0 : -1;
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
	print_row("destroy", destroy);
	print_row("floor: fork", spawn);
	if (idle)
		measure_memory((unsigned)idle);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(bench)};
	if (parse(argc, argv) < 0) {
		fprintf(stderr,
			"usage: build_bench [-n BUILDS] [-p PAUSE_US] [-k IDLE (at most %d)]\n",
			FIXTURE_SLOTS_MAX);
		return 2;
	}
	total = histogram_create();
	destroy = histogram_create();
	spawn = histogram_create();
	for (int i = 0; i < STAGE_COUNT; i++)
		stages[i] = histogram_create();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
