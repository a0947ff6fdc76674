/*
 * exec_bench - what a command costs in a held sandbox beside the same command on the host. Root; one builder.
 *
 *   exec_bench [-n RUNS] [-p PAUSE_US] [-b MIB] [-i IDLE_S] [COMMAND ARGUMENT...]
 *
 * Without an option: the command (default `true`) -n times (default 1000), with 0, 5 and 50 ms before each, or
 * with -p only so many microseconds; host and sandbox in turn, so that both meet the same machine. `inside`
 * is what the guest itself counts, from the request to its reply; the rest is the way there and back.
 * -b moves so many MiB out of a sandbox, streamed and by a passed pipe, in turn with the host's own pipe.
 * -i is for soaks: the first command of sandboxes that have been idle for so many seconds, in turn with that
 * of sandboxes just built; fails when its median is more than 1.5 times theirs. HEARTH_TEST_ROOT names another root than that of the image tiny.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <spawn.h>
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

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/number.h"
#include "tests/system/jail_fixture.h"

#define IDLE_SANDBOXES 32 /* each has one first command */
#define ROUNDS	       10 /* of -b */
#define IDLE_TIMES_MAX 1.5
#define WAIT_MS	       60000

/* Of both sides: what a shell would look up first where it is missing is there. */
static const char *const environment[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/root",
	"SHELL=/bin/sh",
	NULL,
};
static const char *const *argv_of_command = (const char *const[]){"true", NULL};
static uint64_t runs = 1000, pause_us, mebibytes, idle_s;
static bool has_pause;

struct run {
	bool is_done;
	uint64_t bytes;
	struct guest_reply reply;
};

static void on_output(void *arg, enum guest_stream stream, const void *data, uint32_t size)
{
	struct run *run = arg;

	(void)stream;
	(void)data;
	run->bytes += size;
}

static void on_reply(void *arg, const struct guest_reply *reply)
{
	struct run *run = arg;

	run->reply = *reply;
	run->is_done = true;
}

/* Count and drop. False at the end. */
static bool drain(int fd, uint64_t *bytes)
{
	static char waste[1 << 20];
	ssize_t n = read(fd, waste, sizeof(waste));

	if (n > 0)
		*bytes += (uint64_t)n;
	return n > 0;
}

/* pipe_fd: what else is to be read until its end; -1: nothing. */
static void run_inside(struct guest_client *client, const struct guest_exec_options *options,
	int pipe_fd, int theirs, struct run *run)
{
	const struct guest_callbacks callbacks = {
		.on_output = on_output, .on_reply = on_reply, .arg = run};
	struct error err;

	*run = (struct run){0};
	if (guest_client_exec(client, options, &callbacks, NULL, &err) < 0)
		fail_msg("%s", err.text);
	if (theirs >= 0)
		close(theirs);
	while (!run->is_done || pipe_fd >= 0) {
		struct pollfd p[] = {
			{.fd = run->is_done ? -1 : guest_client_fd(client), .events = POLLIN},
			{.fd = pipe_fd, .events = POLLIN},
		};

		assert_true(poll(p, 2, WAIT_MS) > 0);
		if (p[0].revents)
			assert_int_equal(guest_client_process(client, NULL), 0);
		if (p[1].revents && !drain(pipe_fd, &run->bytes))
			pipe_fd = -1;
	}
	if (run->reply.end != GUEST_END_DONE || run->reply.exit_status != 0)
		fail_msg("the command failed inside: %s", run->reply.text);
}

static uint64_t time_inside(struct guest_client *client, uint64_t *ret_wall_ns)
{
	const struct guest_exec_options options = {
		.argv = argv_of_command, .env = environment, .flags = GUEST_EXEC_ENV_ONLY};
	uint64_t before = clock_now_ns();
	struct run run;

	run_inside(client, &options, -1, -1, &run);
	*ret_wall_ns = run.reply.wall_ns;
	return clock_now_ns() - before;
}

static uint64_t time_host(void)
{
	uint64_t before = clock_now_ns();
	int status = -1;
	pid_t pid;

	assert_int_equal(posix_spawnp(&pid, argv_of_command[0], NULL, NULL,
				 (char *const *)argv_of_command, (char *const *)environment),
		0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return clock_now_ns() - before;
}

static void nap_us(uint64_t us)
{
	struct timespec nap = {
		.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};

	if (us)
		nanosleep(&nap, NULL);
}

static double us(const struct histogram *h, double percent)
{
	return (double)histogram_percentile(h, percent) / 1e3;
}

static void print_row(const char *name, const struct histogram *h, const struct histogram *beside)
{
	printf("  %-12s %8.1f %8.1f", name, us(h, 50), us(h, 99));
	if (beside)
		printf("   %+7.1f us, %.2f times", us(h, 50) - us(beside, 50),
			us(h, 50) / us(beside, 50));
	printf("\n");
}

static void compare(struct guest_client *client, uint64_t pause)
{
	struct histogram *host = histogram_create(), *sandbox = histogram_create();
	struct histogram *inside = histogram_create();
	uint64_t wall_ns;

	assert_true(host && sandbox && inside);
	time_inside(client, &wall_ns); /* the first has more to do: see -i */
	for (uint64_t i = 0; i < runs; i++) {
		nap_us(pause);
		histogram_record(host, time_host());
		nap_us(pause);
		histogram_record(sandbox, time_inside(client, &wall_ns));
		histogram_record(inside, wall_ns);
	}
	printf("n=%" PRIu64 ", pause %" PRIu64 " us    p50      p99 (us)\n", runs, pause);
	print_row("host", host, NULL);
	print_row("sandbox", sandbox, host);
	print_row("inside", inside, NULL);
	histogram_destroy(host);
	histogram_destroy(sandbox);
	histogram_destroy(inside);
}

enum way { STREAMED, PASSED, OF_THE_HOST, WAYS };

/* GB/s of one round. */
static double move(struct guest_client *client, enum way way, const char *const *argv)
{
	struct guest_exec_options options = {.argv = argv};
	uint64_t before = clock_now_ns();
	struct run run = {0};
	int ends[2] = {-1, -1};
	pid_t pid;

	if (way != STREAMED)
		assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	if (way == OF_THE_HOST) {
		posix_spawn_file_actions_t actions;

		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
		assert_int_equal(posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv,
					 (char *const *)environment),
			0);
		posix_spawn_file_actions_destroy(&actions);
		close(ends[1]);
		while (drain(ends[0], &run.bytes))
			;
		waitpid(pid, NULL, 0);
	} else {
		options.flags = way == PASSED ? GUEST_EXEC_FD_STDOUT : 0;
		options.stdio[1] = ends[1];
		run_inside(client, &options, ends[0], ends[1], &run);
	}
	fd_close(ends[0]);
	assert_int_equal(run.bytes, mebibytes << 20);
	return (double)run.bytes / (double)(clock_now_ns() - before);
}

static void measure_bulk(struct guest_client *client)
{
	static const char *const names[WAYS] = {"streamed", "passed", "host"};
	char bytes[32];
	const char *const argv[] = {"head", "-c", bytes, "/dev/zero", NULL};
	double best[WAYS] = {0}, sum[WAYS] = {0};

	snprintf(bytes, sizeof(bytes), "%" PRIu64, mebibytes << 20);
	for (int i = 0; i < ROUNDS; i++) {
		for (enum way way = STREAMED; way < WAYS; way++) {
			double rate = move(client, way, argv);

			sum[way] += rate;
			best[way] = rate > best[way] ? rate : best[way];
		}
	}
	printf("%" PRIu64 " MiB out, %d rounds   mean     best (GB/s)\n", mebibytes, ROUNDS);
	for (enum way way = STREAMED; way < WAYS; way++)
		printf("  %-12s %8.2f %8.2f\n", names[way], sum[way] / ROUNDS, best[way]);
}

static struct guest_client *build(struct fixture *f, unsigned slot)
{
	struct guest_client *client;

	if (fixture_build(f, slot, &client) < 0)
		fail_msg("%s", f->failed.text);
	return client;
}

static void measure_first(struct fixture *f)
{
	struct guest_client *idle[IDLE_SANDBOXES];
	uint64_t ids[IDLE_SANDBOXES];
	struct histogram *after = histogram_create(), *fresh = histogram_create();
	uint64_t wall_ns;

	assert_true(after && fresh);
	for (unsigned i = 0; i < IDLE_SANDBOXES; i++) {
		idle[i] = build(f, i);
		ids[i] = f->next_sandbox;
	}
	nap_us(idle_s * 1000000);
	for (unsigned i = 0; i < IDLE_SANDBOXES; i++) {
		struct guest_client *client = build(f, IDLE_SANDBOXES);

		histogram_record(fresh, time_inside(client, &wall_ns));
		histogram_record(after, time_inside(idle[i], &wall_ns));
		guest_client_destroy(idle[i]);
		guest_client_destroy(client);
		fixture_kill(f);
		fixture_kill_sandbox(f, ids[i]); /* both, or a slot may be in use yet */
	}
	printf("first command, n=%d       p50      p99 (us)\n", IDLE_SANDBOXES);
	print_row("fresh", fresh, NULL);
	printf("  idle for %" PRIu64 " s:\n", idle_s);
	print_row("idle", after, fresh);
	if (us(after, 50) > IDLE_TIMES_MAX * us(fresh, 50))
		fail_msg("more than %.1f times a fresh one's", IDLE_TIMES_MAX);
	histogram_destroy(after);
	histogram_destroy(fresh);
}

static void bench(void **state)
{
	struct fixture_options options = {
		.limits = {.memory_bytes = 256 << 20, .pids = 64}, .slots = IDLE_SANDBOXES + 1};
	static const uint64_t pauses[] = {0, 5000, 50000};
	struct guest_client *client;
	struct fixture f;

	(void)state;
	fixture_start(&f, &options);
	if (idle_s) {
		measure_first(&f);
		fixture_stop(&f);
		return;
	}
	client = build(&f, 0);
	if (mebibytes)
		measure_bulk(client);
	else if (has_pause)
		compare(client, pause_us);
	else
		for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++)
			compare(client, pauses[i]);
	guest_client_destroy(client);
	fixture_stop(&f);
}

static int parse(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "+n:p:b:i:")) != -1) {
		uint64_t *value = option == 'n'	  ? &runs
				  : option == 'p' ? &pause_us
				  : option == 'b' ? &mebibytes
						  : &idle_s;

		if (option == '?' || number_parse(optarg, option != 'p', 1000000, value) < 0)
			return -1;
		has_pause |= option == 'p';
	}
	if (optind < argc)
		argv_of_command = (const char *const *)argv + optind;
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(bench)};

	if (parse(argc, argv) < 0) {
		fprintf(stderr, "usage: exec_bench [-n RUNS] [-p PAUSE_US] [-b MIB] [-i IDLE_S] "
				"[COMMAND ARGUMENT...]\n");
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
