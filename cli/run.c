/*
 * run.c - hearth run: acquire, exec, release.
 *
 * The lease is taken as whoever called us; then, before a byte of the guest is read, the process
 * becomes user hearth for good. The connection to the supervisor stays open: it is the lease.
 */
#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/drop.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/inside.h"
#include "proto/control_client.h"

#define ACQUIRE_TIMEOUT_MS 60000 /* the supervisor refuses long before */
#define LEASE_ENDED_MS	   1000	 /* why the guest is gone comes on another socket */

struct run {
	struct cli *cli;
	struct inside inside;
	struct console console;
	struct control_client *control;
	struct guest_client *guest;
	struct control_leased leased;
	struct control_lease_ended ended;
	bool has_ended;
	uint64_t acquire_ns;
};

static void on_ended(void *arg, const struct control_lease_ended *ended)
{
	struct run *run = arg;

	run->ended = *ended;
	run->has_ended = true;
}

static int acquire(struct run *run, int *ret_channel, struct error *err)
{
	const char *image = cli_option(run->cli, "image"), *net = cli_option(run->cli, "net");
	struct control_acquire request = {0};
	uint64_t started_ns;
	int r;

	if (text_copy(request.template_name, sizeof(request.template_name), image ? image : "") < 0)
		return error_set(err, ENAMETOOLONG, "--image %.40s: too long a name", image);
	if (text_copy(request.net, sizeof(request.net), net ? net : "") < 0)
		return error_set(err, ENAMETOOLONG, "--net %.40s: too long a name", net);
	r = control_client_connect(run->cli->directory, &run->control, err);
	if (r < 0)
		return r;
	control_client_on_ended(run->control, on_ended, run);
	started_ns = clock_now_ns();
	r = control_client_call(run->control, CONTROL_ACQUIRE, &request, sizeof(request),
		&run->leased, sizeof(run->leased), ret_channel, ACQUIRE_TIMEOUT_MS, NULL, err);
	run->acquire_ns = clock_now_ns() - started_ns;
	return error_prefix(err, r, "acquire a sandbox");
}

/* From the supervisor, while the command runs: perhaps that its sandbox has ended. */
static int on_control(void *arg, struct error *err)
{
	struct run *run = arg;

	if (control_client_process(run->control, err) < 0)
		return error_prefix(err, -err->code, "supervisor");
	if (run->has_ended && !run->console.has_reply)
		guest_client_lose(
			run->guest, run->ended.limits_hit, control_reason_name(run->ended.reason));
	return 0;
}

static int attend(struct run *run, struct error *err)
{
	const struct console_other control = {
		.fd = control_client_fd(run->control), .on_ready = on_control, .arg = run};

	return console_attend(&run->console, &control, err);
}

/* The channel hangs up before the supervisor, who reaps, can say why. */
static void learn_reason(struct run *run)
{
	uint64_t until = clock_now_ms() + LEASE_ENDED_MS;
	struct error err;

	while (!run->has_ended) {
		struct pollfd p = {.fd = control_client_fd(run->control), .events = POLLIN};
		uint64_t now = clock_now_ms();

		if (now >= until || poll(&p, 1, (int)(until - now)) <= 0 ||
			control_client_process(run->control, &err) < 0)
			return;
	}
}

static int say_lost(struct run *run)
{
	const struct control_lease_ended *ended = &run->ended;
	struct error err;

	learn_reason(run);
	if (!run->has_ended) {
		error_set(&err, EPIPE, "the sandbox is gone: %.100s", run->console.reply.text);
		return cli_fail(run->cli, &err, NULL);
	}
	if (ended->reason == LEASE_OOM) {
		error_set(&err, ENOMEM, "the sandbox ran out of memory: its limit is %llu bytes",
			(unsigned long long)(ended->limit ? ended->limit
							  : run->leased.memory_bytes));
		cli_fail(run->cli, &err, "ask for less, or raise the pool's memory");
		return 128 + SIGKILL;
	}
	if (ended->reason == LEASE_DEADLINE || ended->reason == LEASE_IDLE) {
		error_set(&err, ETIMEDOUT, "the lease ended: %s after %u ms",
			control_reason_name(ended->reason),
			ended->reason == LEASE_IDLE ? run->leased.idle_ms : run->leased.lease_ms);
		cli_fail(run->cli, &err, NULL);
		return 124;
	}
	error_set(&err, EPIPE, "the sandbox is gone: %s", control_reason_name(ended->reason));
	return cli_fail(run->cli, &err, NULL);
}

static int conclude(struct run *run)
{
	struct error err = {0};
	int status;

	if (run->console.reply.end == GUEST_END_LOST && !run->console.write_error)
		return say_lost(run);
	status = console_status(&run->console, run->inside.command.argv[0], &err);
	if (status < 0)
		return cli_fail(run->cli, &err, NULL);
	if (err.text[0])
		cli_fail(run->cli, &err, NULL);
	return status;
}

/* With --json: what it cost, on stderr, because stdout is the command's. */
static void print_receipt(const struct run *run, int status)
{
	const struct guest_reply *reply = &run->console.reply;
	json_auto_t *receipt = json_pack(
		"{s:i, s:I, s:s, s:s, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I}", "exit_status",
		status, "sandbox", (json_int_t)run->leased.handle.sandbox, "pool",
		run->leased.template_name, "rung", control_rung_name(run->leased.rung),
		"acquire_us", (double)run->acquire_ns / 1e3, "wait_us",
		(double)run->leased.wait_ns / 1e3, "build_us", (double)run->leased.build_ns / 1e3,
		"wall_us", (double)reply->wall_ns / 1e3, "user_us", (json_int_t)reply->user_us,
		"system_us", (json_int_t)reply->system_us, "max_rss_bytes",
		(json_int_t)reply->max_rss_bytes, "stdout_bytes", (json_int_t)reply->stdout_bytes,
		"stderr_bytes", (json_int_t)reply->stderr_bytes);

	if (receipt)
		json_dumpf(receipt, stderr, JSON_REAL_PRECISION(6));
	fputc('\n', stderr);
}

static void on_released(void *arg, const struct message_header *answer, int fd, bool is_last)
{
	(void)arg;
	(void)answer;
	(void)is_last;
	fd_close(fd);
}

/* Say it, do not wait for it: the connection's end does the same. */
static void release(struct run *run)
{
	struct control_lease request = {.handle = run->leased.handle};

	if (run->control && run->leased.handle.sandbox)
		control_client_send(run->control, CONTROL_RELEASE, &request, sizeof(request),
			on_released, NULL, NULL);
	guest_client_destroy(run->guest);
	control_client_destroy(run->control);
}

int cli_run(struct cli *cli, int argc, char **argv)
{
	struct run run = {.cli = cli};
	const char *advice = NULL;
	int channel = -1, status;
	struct error err;
	int r;

	(void)argc;
	r = inside_parse(cli, argv + 1, &run.inside);
	if (r != 0)
		return r;
	r = acquire(&run, &channel, &err);
	if (r == 0) {
		r = drop_privileges(&err);
		advice = r == -ENOENT ? "make it with ./setup" : NULL;
	}
	if (r == 0)
		r = guest_client_create(take_fd(&channel), &run.guest, &err);
	if (r == 0)
		r = console_start(&run.console, run.guest, &run.inside.command, &err);
	if (r == 0)
		r = attend(&run, &err);
	console_finish(&run.console);
	status = r < 0 ? cli_fail(cli, &err, advice) : conclude(&run);
	if (r == 0 && cli->json)
		print_receipt(&run, status);
	fd_close(channel);
	release(&run);
	return status;
}
