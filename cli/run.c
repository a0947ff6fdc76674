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
#include "cli/cli.h"
#include "cli/inside.h"
#include "cli/lease_options.h"
#include "proto/control_client.h"
#include "proto/receipt.h"

#define ACQUIRE_TIMEOUT_MS 60000 /* the supervisor refuses long before */
#define WORKSPACE_MS	   2000	 /* for a sandbox that had the same workspace to die */
#define LEASE_ENDED_MS	   1000	 /* why the guest is gone comes on another socket */
#define RECEIPT_MS	   2000	 /* the sandbox's death takes a few milliseconds */

struct run {
	struct cli *cli;
	struct inside inside;
	struct console console;
	struct control_client *control;
	struct guest_client *guest;
	struct control_acquire request;
	struct control_leased leased;
	struct limit_values limits;
	struct control_lease_ended ended;
	struct control_receipt receipt;
	bool has_ended, has_receipt;
	uint64_t acquire_ns;
};

static void on_ended(void *arg, const struct control_lease_ended *ended)
{
	struct run *run = arg;

	run->ended = *ended;
	run->has_ended = true;
}

static void on_receipt(void *arg, const struct control_receipt *receipt)
{
	struct run *run = arg;

	run->receipt = *receipt;
	run->has_receipt = true;
}

/* Its workspace may be in use only because the run before has not quite ended: wait as long as is advised. */
static bool may_try_again(const struct run *run, enum control_refusal refusal, uint64_t started_ns)
{
	uint32_t retry_ms = control_client_retry_ms(run->control);
	uint64_t gone_ms = (clock_now_ns() - started_ns) / NS_PER_MS;

	if (run->request.workspace[0] == '\0' || refusal != REFUSED_LIMIT || retry_ms == 0 ||
		gone_ms + retry_ms > WORKSPACE_MS)
		return false;
	poll(NULL, 0, (int)retry_ms);
	return true;
}

static int acquire(struct run *run, int *ret_channel, struct error *err)
{
	enum control_refusal refusal;
	uint64_t started_ns;
	int r;

	r = control_client_connect(run->cli->directory, &run->control, err);
	if (r < 0)
		return r;
	control_client_on_ended(run->control, on_ended, run);
	control_client_on_receipt(run->control, on_receipt, run);
	started_ns = clock_now_ns();
	do {
		refusal = 0;
		r = control_client_call(run->control, CONTROL_ACQUIRE, &run->request,
			sizeof(run->request), &run->leased, sizeof(run->leased), ret_channel,
			ACQUIRE_TIMEOUT_MS, &refusal, err);
	} while (r < 0 && may_try_again(run, refusal, started_ns));
	run->acquire_ns = clock_now_ns() - started_ns;
	return error_prefix(err, r, "acquire a sandbox");
}

static void warn_unenforced(const struct run *run)
{
	char names[LIMIT_TEXT_MAX];

	if (run->leased.unenforced && !run->cli->json)
		fprintf(stderr, "hearth: warning: limits that this host cannot enforce: %s\n",
			limit_names(run->leased.unenforced, names));
}

static void note_limits(struct run *run)
{
	run->limits = limit_values_of(&run->leased);
	run->limits.time_ms = run->inside.command.timeout_ms;
	run->limits.output_bytes = run->inside.command.output_max;
}

/* From the supervisor, while the command runs: perhaps that its sandbox has ended. */
static int on_control(void *arg, struct error *err)
{
	struct run *run = arg;
	char text[LIMIT_TEXT_MAX];

	if (control_client_process(run->control, err) < 0)
		return error_prefix(err, -err->code, "supervisor");
	if (run->has_ended && !run->console.has_reply)
		guest_client_lose(run->guest, run->ended.limits_hit,
			limit_lease_end_text(&run->ended, &run->limits, text));
	return 0;
}

static int attend(struct run *run, struct error *err)
{
	const struct console_other control = {
		.fd = control_client_fd(run->control), .on_ready = on_control, .arg = run};

	return console_attend(&run->console, &control, err);
}

/* Until *is_there, which a callback sets, or for timeout_ms. */
static void wait_for_news(struct run *run, const bool *is_there, uint32_t timeout_ms)
{
	uint64_t until = clock_now_ms() + timeout_ms;
	struct error err;

	while (!*is_there) {
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
	char text[LIMIT_TEXT_MAX];
	struct error err;

	wait_for_news(run, &run->has_ended, LEASE_ENDED_MS);
	if (!run->has_ended) {
		error_set(&err, EPIPE, "the sandbox is gone: %.100s", run->console.reply.text);
		return cli_fail(run->cli, &err, NULL);
	}
	limit_lease_end_text(ended, &run->limits, text);
	if (ended->reason == LEASE_OOM) {
		error_set(&err, ENOMEM, "the sandbox has ended: %s", text);
		cli_fail(run->cli, &err, "ask for less, or raise the pool's memory");
		return 128 + SIGKILL;
	}
	if (ended->reason == LEASE_DEADLINE || ended->reason == LEASE_IDLE) {
		error_set(&err, ETIMEDOUT, "the lease has ended: %s", text);
		cli_fail(run->cli, &err, NULL);
		return 124;
	}
	error_set(&err, EPIPE, "the sandbox is gone: %s", text);
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
	inside_say_limits(run->cli, run->console.reply.limits_hit, &run->limits);
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
	json_auto_t *more = json_pack("{s:I, s:I, s:I, s:o, s:o, s:o}", "read_bytes",
		(json_int_t)reply->read_bytes, "write_bytes", (json_int_t)reply->write_bytes,
		"major_faults", (json_int_t)reply->major_faults, "limits_hit",
		receipt_limits(reply->limits_hit), "limits",
		receipt_limit_texts(reply->limits_hit, &run->limits), "unenforced",
		receipt_limits(run->leased.unenforced));

	json_auto_t *own = receipt_of_binding(&run->leased);

	json_object_update(receipt, more);
	json_object_update(receipt, own);
	if (run->has_receipt)
		json_object_set_new(
			receipt, "lease", receipt_of_lease(&run->receipt, &run->limits));
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
static void send_release(struct run *run)
{
	struct control_lease request = {.handle = run->leased.handle};

	if (run->control && run->leased.handle.sandbox)
		control_client_send(run->control, CONTROL_RELEASE, &request, sizeof(request),
			on_released, NULL, NULL);
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
	if (r == 0)
		r = lease_options_parse(cli, &run.request);
	if (r != 0)
		return r;
	inside_pass_pipes(cli, &run.inside);
	r = acquire(&run, &channel, &err);
	note_limits(&run);
	if (r == 0) {
		r = drop_privileges(&err);
		advice = r == -ENOENT ? "make it with ./setup" : NULL;
	}
	if (r == 0)
		warn_unenforced(&run);
	if (r == 0)
		r = guest_client_create(take_fd(&channel), &run.guest, &err);
	if (r == 0)
		r = console_start(&run.console, run.guest, &run.inside.command, &err);
	inside_close_pipes(&run.inside); /* or their end would not show while the command runs */
	if (r == 0)
		r = attend(&run, &err);
	console_finish(&run.console);
	status = r < 0 ? cli_fail(cli, &err, advice) : conclude(&run);
	fd_close(channel);
	send_release(&run);
	if (r == 0 && cli->json) {
		wait_for_news(&run, &run.has_receipt, RECEIPT_MS);
		print_receipt(&run, status);
	}
	guest_client_destroy(run.guest);
	control_client_destroy(run.control);
	return status;
}
