/*
 * bombs-meter DIR POOL - a neighbour: leases one sandbox and runs `true` in it, again and again.
 *
 * Each line on its input is answered with what the commands took since the line before, in
 * microseconds: "n P50 P99 MAX". It ends with its input, or with a command that fails.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/histogram.h"
#include "proto/control_client.h"
#include "proto/guest_client.h"

#define WAIT_MS	 60000
#define PAUSE_MS 2 /* between commands: a neighbour, not a bomb */

struct run {
	bool is_done, is_good;
};

static void on_reply(void *arg, const struct guest_reply *reply)
{
	struct run *run = arg;

	run->is_done = true;
	run->is_good = reply->end == GUEST_END_DONE && reply->exit_status == 0;
}

/* One `true`, from the request to its reply. */
static int run_once(struct guest_client *guest, struct histogram *h, struct error *err)
{
	const char *const argv[] = {"true", NULL};
	const struct guest_exec_options options = {.argv = argv, .timeout_ms = WAIT_MS};
	struct run run = {0};
	const struct guest_callbacks callbacks = {.on_reply = on_reply, .arg = &run};
	uint64_t before = clock_now_ns();
	int r = guest_client_exec(guest, &options, &callbacks, NULL, err);

	while (r == 0 && !run.is_done) {
		struct pollfd p = {.fd = guest_client_fd(guest), .events = POLLIN};

		if (guest_client_wants_write(guest))
			p.events |= POLLOUT;
		poll(&p, 1, WAIT_MS);
		r = guest_client_process(guest, err);
	}
	if (r < 0)
		return r;
	histogram_record(h, clock_now_ns() - before);
	return run.is_good ? 0 : error_set(err, EIO, "true failed");
}

static unsigned long microseconds(uint64_t ns)
{
	return (unsigned long)(ns / 1000);
}

/* False: the input has ended. */
static bool answer(struct histogram *h)
{
	char line[64];
	ssize_t n = read(STDIN_FILENO, line, sizeof(line));

	if (n <= 0)
		return false;
	printf("%lu %lu %lu %lu\n", (unsigned long)histogram_count(h),
		microseconds(histogram_percentile(h, 50)),
		microseconds(histogram_percentile(h, 99)), microseconds(histogram_max(h)));
	fflush(stdout);
	histogram_reset(h);
	return true;
}

static int measure(struct guest_client *guest, struct histogram *h, struct error *err)
{
	for (;;) {
		struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
		int r = run_once(guest, h, err);

		if (r < 0)
			return r;
		if (poll(&p, 1, PAUSE_MS) > 0 && !answer(h))
			return 0;
	}
}

int main(int argc, char **argv)
{
	struct control_acquire acquire = {0};
	struct control_leased leased;
	struct control_client *control = NULL;
	struct guest_client *guest = NULL;
	struct histogram *h = histogram_create();
	struct error err = {0};
	int channel = -1, r = -EINVAL;

	/* What it waits for is the sandbox, not its own turn on the host. */
	if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}) < 0)
		fprintf(stderr, "bombs-meter: SCHED_FIFO: %s; its own waits count too\n",
			strerror(errno));
	if (argc == 3 && h) {
		snprintf(acquire.template_name, sizeof(acquire.template_name), "%s", argv[2]);
		r = control_client_connect(argv[1], &control, &err);
		if (r == 0)
			r = control_client_call(control, CONTROL_ACQUIRE, &acquire, sizeof(acquire),
				&leased, sizeof(leased), &channel, WAIT_MS, NULL, &err);
		if (r == 0)
			r = guest_client_create(channel, &guest, &err);
		if (r == 0)
			r = measure(guest, h, &err);
	}
	if (r < 0)
		fprintf(stderr, "bombs-meter: %s\n", err.text);
	guest_client_destroy(guest);
	control_client_destroy(control);
	histogram_destroy(h);
	return r < 0;
}
