/*
 * bench_run.c - rounds.
 *
 * Of what is measured warm a round takes at most half of the ready sandboxes, and no more than is granted
 * at a time; between rounds everything is released and the pool comes to rest again, untimed. What
 * releases its sandboxes itself goes on without rounds.
 */
#include "cli/bench_run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/bench_floor.h"
#include "cli/bench_stats.h"
#include "cli/bench_worker.h"
#include "cli/query.h"
#include "proto/channel.h"

#define REFILL_MS     60000
#define LOOK_EVERY_MS 2
#define START_NS(clients)                                                                          \
	((200 + 50 * (clients)) * NS_PER_US) /* for all of them to have their order */
#define NO_END UINT32_MAX

struct worker {
	pid_t pid; /* 0: none */
	int link;
	bool is_due; /* a report */
	struct bench_report report;
};

struct run {
	const struct bench_plan *plan;
	struct bench_result *result;
	struct worker workers[BENCH_CLIENTS_MAX];
	unsigned long taken;	 /* those of the warm-up too */
	unsigned long round_max; /* what was granted at a time when more was refused */
	bool is_granted_less;
	struct error refused; /* why */
};

unsigned long bench_share(unsigned long total, unsigned long clients, unsigned index)
{
	return total / clients + (index < total % clients);
}

/* What holds no sandbox but the one it has just asked for. */
static bool is_continuous(const struct bench_plan *plan)
{
	return plan->rate || plan->kind == BENCH_CHURN ||
	       (plan->kind == BENCH_EXEC && !plan->fresh);
}

/* Only of the warm there has to be one. */
static bool wants_ready(const struct bench_plan *plan)
{
	return plan->kind == BENCH_ACQUIRE || (plan->kind == BENCH_EXEC && plan->fresh);
}

static int start_worker(
	struct run *run, unsigned index, struct bench_sample *samples, struct error *err)
{
	struct worker *worker = &run->workers[index];
	int pair[2], r = channel_pair(pair, err);

	if (r < 0)
		return r;
	worker->pid = fork();
	if (worker->pid == 0) {
		/* Or the clients would not see when this process ends. */
		for (unsigned i = 0; i < index; i++)
			close(run->workers[i].link);
		close(pair[0]);
		bench_worker_main(run->plan, index, pair[1], samples);
	}
	worker->link = pair[0];
	close(pair[1]);
	if (worker->pid < 0) {
		worker->pid = 0;
		close(worker->link);
		return error_errno(err, "start client %u", index + 1);
	}
	worker->is_due = true;
	return 0;
}

/* They end with their links; one that is at work when the run has failed is ended. */
static void stop_workers(struct run *run, bool is_failed)
{
	for (unsigned i = 0; i < run->plan->clients; i++) {
		struct worker *worker = &run->workers[i];

		if (!worker->pid)
			continue;
		close(worker->link);
		if (is_failed)
			kill(worker->pid, SIGKILL);
		waitpid(worker->pid, NULL, 0);
	}
}

/* A process that reads guests may be no longer ours: its numbers have to be possible ones. */
static int take_report(struct run *run, unsigned index, struct error *err)
{
	struct worker *worker = &run->workers[index];
	struct bench_report *report = &worker->report;
	unsigned long share = bench_share(run->plan->count, run->plan->clients, index) +
			      bench_share(run->plan->warmup, run->plan->clients, index);

	if (recv(worker->link, report, sizeof(*report), 0) != (ssize_t)sizeof(*report) ||
		report->taken > share || report->held_most > BENCH_HELD_MAX)
		return error_set(err, EPIPE, "client %u has died", index + 1);
	worker->is_due = false;
	report->err.text[sizeof(report->err.text) - 1] = '\0';
	if (report->result < 0) {
		*err = report->err;
		return -EIO;
	}
	if (report->result > 0) {
		run->is_granted_less = true;
		run->refused = report->err;
	}
	run->result->is_disordered = run->result->is_disordered || report->is_disordered;
	return 0;
}

/* All reports that are due; the first failure is the run's. */
static int gather(struct run *run, struct error *err)
{
	struct pollfd fds[BENCH_CLIENTS_MAX];
	unsigned due = 0;
	int r = 0;

	for (unsigned i = 0; i < run->plan->clients; i++) {
		fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
		if (!run->workers[i].is_due)
			continue;
		fds[i].fd = run->workers[i].link;
		due++;
	}
	while (r == 0 && due > 0) {
		if (poll(fds, run->plan->clients, -1) < 0 && errno != EINTR)
			return error_errno(err, "wait for the clients");
		for (unsigned i = 0; r == 0 && i < run->plan->clients; i++) {
			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			fds[i].fd = -1;
			due--;
			r = take_report(run, i, err);
		}
	}
	return r;
}

static int give_order(struct run *run, unsigned index, enum bench_what what, unsigned long attempts,
	uint64_t start_ns, struct error *err)
{
	struct worker *worker = &run->workers[index];
	const struct bench_order order = {
		.what = what, .attempts = (uint32_t)attempts, .start_ns = start_ns};

	if (send(worker->link, &order, sizeof(order), MSG_NOSIGNAL) < 0)
		return error_set(err, EPIPE, "client %u has died", index + 1);
	worker->is_due = true;
	return 0;
}

/* attempts of all clients together, or NO_END for each. */
static int order_all(
	struct run *run, enum bench_what what, unsigned long attempts, struct error *err)
{
	const unsigned long clients = run->plan->clients;
	uint64_t start_ns = clock_now_ns() + START_NS(clients);
	int r = 0;

	for (unsigned i = 0; r == 0 && i < clients; i++) {
		unsigned long part =
			attempts == NO_END ? NO_END : bench_share(attempts, clients, i);

		r = give_order(run, i, what, part, start_ns, err);
	}
	return r == 0 ? gather(run, err) : r;
}

static int order_first(
	struct run *run, enum bench_what what, unsigned long attempts, struct error *err)
{
	int r = give_order(run, 0, what, attempts, 0, err);

	return r == 0 ? gather(run, err) : r;
}

/* Others have used up the host's budget: nothing is built, and no lease is granted. */
static bool is_starved(const struct control_pool_row *row)
{
	return row->budget_bytes > 0 && row->promised_bytes + row->lease_bytes > row->budget_bytes;
}

static bool is_at_rest(const struct control_pool_row *row)
{
	return (row->ready >= row->min || is_starved(row)) && !row->building && !row->discarding;
}

/* What a round needs beside the ready ones, which are taken first. */
static unsigned long room_of(const struct bench_plan *plan)
{
	if (plan->kind == BENCH_BURST)
		return plan->burst;
	return plan->kind == BENCH_MISS ? 1 : 0;
}

static int check_pool(
	const struct bench_plan *plan, const struct control_pool_row *row, struct error *err)
{
	if (row->min + room_of(plan) > row->max)
		return error_set(err, EDQUOT,
			"pool %s: of max %u the %u that it keeps ready leave no room for %lu more",
			row->template_name, row->max, row->min, room_of(plan));
	if (wants_ready(plan) && row->ready == 0 && is_starved(row))
		return error_set(err, EDQUOT,
			"pool %s: nothing is ready, and memory_budget leaves no room for a lease",
			row->template_name);
	if (wants_ready(plan) && row->ready < plan->clients)
		return error_set(err, EAGAIN, "pool %s keeps %u ready: too few for %lu client%s",
			row->template_name, row->ready, plan->clients,
			plan->clients > 1 ? "s" : "");
	return 0;
}

/* Until the pool is at rest. It may keep more ready than min for a while, and then has to shrink to make room. */
static int wait_for_rest(struct run *run, struct control_pool_row *row, struct error *err)
{
	uint64_t until = clock_now_ms() + REFILL_MS;

	for (;;) {
		int r = query_pool(run->plan->directory, run->plan->image, row, err);

		if (r < 0)
			return r;
		if (is_at_rest(row) && (row->ready + room_of(run->plan) <= row->max ||
					       row->min + room_of(run->plan) > row->max))
			return check_pool(run->plan, row, err);
		if (clock_now_ms() > until)
			return error_set(err, ETIMEDOUT,
				"pool %s: min %u, max %u, and %u ready after %d s%s%.100s",
				row->template_name, row->min, row->max, row->ready,
				REFILL_MS / 1000, row->broken[0] ? ": " : "", row->broken);
		poll(NULL, 0, LOOK_EVERY_MS);
	}
}

/* How many sandboxes the next round asks for. */
static unsigned long plan_round(const struct run *run, const struct control_pool_row *row)
{
	const struct bench_plan *plan = run->plan;
	unsigned long attempts = plan->kind == BENCH_MISS ? row->max : row->ready / 2;

	if (is_continuous(plan))
		return NO_END;
	if (plan->kind == BENCH_BURST)
		return plan->burst;
	if (attempts > run->round_max)
		attempts = run->round_max;
	return attempts > plan->clients ? attempts : plan->clients;
}

/* The host or a cap grants no more at a time: from now on a round is as large as this one. */
static int shrink_round(struct run *run, unsigned long held, bool has_samples, struct error *err)
{
	if (!has_samples) { /* all of ours is gone, and yet not one */
		*err = run->refused;
		return error_prefix(err, -err->code, "sample %lu", run->taken + 1);
	}
	/* With refill nothing is held, but what was released counts until it is gone. */
	if (held == 0)
		return 0;
	if (run->round_max == BENCH_HELD_MAX && !run->plan->quiet)
		fprintf(stderr, "hearth: rounds of %lu, because no more is granted at a time: %s\n",
			held, run->refused.text);
	run->round_max = held;
	return 0;
}

static int take_round(struct run *run, struct control_pool_row *row, struct error *err)
{
	unsigned long before = run->taken, held = 0, held_most = 0;
	int r = 0;

	if (run->plan->kind == BENCH_BURST)
		r = order_first(run, BENCH_DRAIN, 0, err);
	run->is_granted_less = false;
	if (r == 0)
		r = order_all(run, BENCH_TAKE, plan_round(run, row), err);
	if (r < 0)
		return r;
	run->taken = 0;
	for (unsigned i = 0; i < run->plan->clients; i++) {
		run->taken += run->workers[i].report.taken;
		held += run->workers[i].report.held;
		held_most += run->workers[i].report.held_most;
	}
	if (held_most > run->result->round)
		run->result->round = (unsigned)held_most;
	if (run->is_granted_less)
		return shrink_round(run, held, run->taken > before, err);
	if (run->plan->kind == BENCH_MISS && run->taken == before)
		return error_set(err, EAGAIN,
			"pool %s builds as fast as it is asked: no acquire was a miss",
			row->template_name);
	return 0;
}

static int measure(struct run *run, struct error *err)
{
	const unsigned long count = run->plan->count + run->plan->warmup;
	struct control_pool_row *row = &run->result->environment.pool, later;
	int r = gather(run, err); /* all are connected */

	if (r == 0 && run->plan->kind == BENCH_CHURN)
		r = order_first(run, BENCH_FLOOR, BENCH_FLOOR_MAX, err);
	if (r == 0)
		r = wait_for_rest(run, row, err);
	later = *row;
	while (r == 0 && run->taken < count) {
		r = take_round(run, &later, err);
		if (r == 0)
			r = order_all(run, BENCH_RELEASE, 0, err);
		if (r == 0 && run->taken < count)
			r = wait_for_rest(run, &later, err);
	}
	return r;
}

/* Of the samples that have one. */
static void collect_floor(const struct bench_plan *plan, struct bench_result *result)
{
	for (unsigned long i = 0; i < plan->count; i++)
		if (result->samples[i].floor_ns)
			result->floor_ns[result->floor_count++] = result->samples[i].floor_ns;
}

static int allocate(const struct bench_plan *plan, struct bench_result *result, struct error *err)
{
	size_t floor = plan->count > BENCH_FLOOR_MAX ? plan->count : BENCH_FLOOR_MAX;
	void *samples = mmap(NULL, plan->count * sizeof(*result->samples), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (samples != MAP_FAILED)
		result->samples = samples;
	result->floor_ns = calloc(floor, sizeof(*result->floor_ns));
	if (!result->samples || !result->floor_ns)
		return error_set(err, ENOMEM, "no memory for %lu samples", plan->count);
	return 0;
}

int bench_run(const struct bench_plan *plan, struct bench_result *ret_result, struct error *err)
{
	struct run run = {.plan = plan, .result = ret_result, .round_max = BENCH_HELD_MAX};
	bool has_command = plan->kind == BENCH_EXEC || plan->kind == BENCH_CHURN;
	unsigned long first = 0;
	int r;

	*ret_result = (struct bench_result){0};
	bench_environment_begin(&ret_result->environment);
	r = allocate(plan, ret_result, err);
	for (unsigned i = 0; r == 0 && i < plan->clients; i++) {
		r = start_worker(&run, i, ret_result->samples + first, err);
		first += bench_share(plan->count, plan->clients, i);
	}
	if (r == 0 && !has_command) {
		ret_result->floor_count =
			plan->count < BENCH_FLOOR_MAX ? plan->count : BENCH_FLOOR_MAX;
		r = bench_floor(ret_result->floor_count, plan->pause_us, ret_result->floor_ns, err);
	}
	if (r == 0)
		r = measure(&run, err);
	stop_workers(&run, r < 0);
	bench_environment_end(&ret_result->environment);
	if (r == 0 && has_command)
		collect_floor(plan, ret_result);
	bench_sort(ret_result->floor_ns, r == 0 ? ret_result->floor_count : 0);
	return r;
}

void bench_result_finish(const struct bench_plan *plan, struct bench_result *result)
{
	if (result->samples)
		munmap(result->samples, plan->count * sizeof(*result->samples));
	free(result->floor_ns);
}
