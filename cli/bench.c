/*
 * bench.c - hearth bench acquire: what one ACQUIRE costs its client, and nothing else.
 *
 * A sample is one round trip: CLOCK_MONOTONIC around the request and its answer, received as the
 * client library does (channel_receive_near), the channel's fd with it. Rounds take at most half of
 * the ready sandboxes, and no more than is granted to one client at a time; between rounds everything
 * is released and the pool fills up again, untimed. With --refill each sandbox is released at once, so that
 * the pool is always building. The floor is measured the same way against a forked process that
 * only echoes: same sizes, same kind of socket, same pauses.
 */
#include "cli/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/text.h"
#include "base/unix_socket.h"
#include "cli/cli.h"
#include "cli/query.h"
#include "cli/table.h"
#include "proto/channel.h"
#include "proto/instance.h"

#define SAMPLES_MAX   1000000
#define PAUSE_US_MAX  10000000
#define ROUND_MAX     4096 /* fds held at a time */
#define ANSWER_S      30   /* for one answer */
#define REFILL_MS     60000
#define LOOK_EVERY_MS 2

struct held {
	struct control_handle handle;
	int channel;
};

struct bench {
	struct cli *cli;
	const char *image;
	unsigned long count, pause_us;
	bool refill;
	int socket;
	uint32_t last_id;
	uint64_t *samples_ns;
	unsigned long taken, hits, misses;
	struct held *held; /* ROUND_MAX of them */
	unsigned held_count;
	uint32_t round_max; /* ROUND_MAX, or what was granted at a time when more was refused */
	unsigned round;	    /* the largest */
	uint64_t floor_p50_ns;
	uint64_t answered_ns; /* the last one */
};

struct answer {
	_Alignas(uint64_t) unsigned char packet[CONTROL_PACKET_MAX];
	int fds[CHANNEL_FDS_MAX];
	size_t fd_count;
	uint64_t elapsed_ns;
};

static bool is_news(uint16_t type)
{
	return type == CONTROL_LEASE_ENDED || type == CONTROL_RECEIPT;
}

/* Receipts that have come are read now, or the next sample would pay for them. */
static void discard_news(const struct bench *b)
{
	char packet[CONTROL_PACKET_MAX];

	while (recv(b->socket, packet, sizeof(packet), MSG_DONTWAIT) > 0)
		;
}

/* One request and its answer. What nobody asked for is passed over. */
static int exchange(struct bench *b, uint16_t type, void *request, uint32_t size, struct answer *a,
	struct error *err)
{
	const struct message_header *header = (const void *)a->packet;
	const struct message_rule *rule;
	uint64_t started_ns;
	bool is_busy;
	ssize_t n;
	int r;

	control_header(request, type, size, ++b->last_id);
	started_ns = clock_now_ns();
	is_busy = started_ns - b->answered_ns < CHANNEL_BUSY_NS;
	r = channel_send(b->socket, request, size, NULL, 0, NULL, 0);
	if (r < 0)
		return error_set(err, -r, "send to the supervisor: %s", strerror(-r));
	do {
		n = (is_busy ? channel_receive_near : channel_receive)(
			b->socket, a->packet, sizeof(a->packet), a->fds, &a->fd_count);
		b->answered_ns = clock_now_ns();
		a->elapsed_ns = b->answered_ns - started_ns;
		if (n == -EAGAIN)
			return error_set(err, ETIMEDOUT, "the supervisor does not answer");
		if (n <= 0)
			return error_set(err, n ? (int)-n : EPIPE, "the supervisor is gone");
		r = check_message(&control_protocol, MESSAGE_TO_CLIENT, a->packet, (size_t)n,
			a->fd_count, &rule, err);
		if (r < 0) {
			channel_close_fds(a->fds, a->fd_count);
			return error_prefix(err, r, "supervisor");
		}
	} while (is_news(header->type));
	return 0;
}

static int release_all(struct bench *b, struct error *err)
{
	struct answer answer;
	int r = 0;

	while (b->held_count > 0 && r == 0) {
		struct held *held = &b->held[--b->held_count];
		struct control_lease request = {.handle = held->handle};

		close(held->channel);
		r = exchange(b, CONTROL_RELEASE, &request, sizeof(request), &answer, err);
	}
	return r;
}

/*
 * The host or a cap grants no more at a time: from now on a round is as large as this one. With --refill
 * nothing is held, but what was released counts until it is gone.
 */
static int end_round(struct bench *b, const struct control_refused *refused, struct error *err)
{
	error_set(err, EDQUOT, "sample %lu: %.200s", b->taken + 1, refused->text);
	if (b->held_count == 0)
		return 1;
	if (b->round_max == ROUND_MAX && !b->cli->json && !b->cli->quiet)
		fprintf(stderr, "hearth: rounds of %u, because no more is granted at a time: %s\n",
			b->held_count, refused->text);
	b->round_max = b->held_count;
	return 1;
}

/* 0; 1: the round ends here, and why is in err. */
static int take_sample(struct bench *b, struct error *err)
{
	struct control_acquire request = {.on_empty = b->refill ? ON_EMPTY_DEFAULT : ON_EMPTY_FAIL};
	struct answer answer;
	const struct control_leased *leased = (const void *)answer.packet;
	const struct control_refused *refused = (const void *)answer.packet;
	bool is_hit;
	int r;

	text_copy(request.template_name, sizeof(request.template_name), b->image);
	bench_rest(b->pause_us);
	discard_news(b);
	r = exchange(b, CONTROL_ACQUIRE, &request, sizeof(request), &answer, err);
	if (r < 0)
		return r;
	if (leased->header.type == CONTROL_LEASED) {
		b->held[b->held_count].handle = leased->handle;
		b->held[b->held_count++].channel = answer.fds[0];
	} else if (refused->refusal == REFUSED_LIMIT) {
		return end_round(b, refused, err);
	} else if (!b->refill || refused->refusal != REFUSED_EMPTY) {
		return error_set(
			err, EAGAIN, "sample %lu is a miss: %.150s", b->taken + 1, refused->text);
	}
	is_hit = leased->header.type == CONTROL_LEASED && leased->rung == RUNG_READY;
	if (!is_hit && !b->refill)
		return error_set(
			err, EAGAIN, "sample %lu is a miss: no sandbox was ready", b->taken + 1);
	b->samples_ns[b->taken++] = answer.elapsed_ns;
	*(is_hit ? &b->hits : &b->misses) += 1;
	if (b->held_count > b->round)
		b->round = b->held_count;
	return b->refill ? release_all(b, err) : 0;
}

/* Nothing more is built: what the pool wants is there, or others have used up the host's budget. */
static bool is_full(const struct control_pool_row *row)
{
	bool is_starved =
		row->budget_bytes > 0 && row->promised_bytes + row->lease_bytes > row->budget_bytes;

	return row->ready > 0 && (row->ready >= row->min || is_starved) && !row->building &&
	       !row->discarding;
}

/* Wait until the pool is full and at rest. *ret_ready: what may be taken. */
static int wait_until_full(const struct bench *b, uint32_t *ret_ready, struct error *err)
{
	uint64_t until = clock_now_ms() + REFILL_MS;
	struct control_pool_row row;

	for (;;) {
		int r = query_pool(b->cli->directory, b->image, &row, err);

		if (r < 0)
			return r;
		if (is_full(&row))
			break;
		if (row.min == 0 && row.ready == 0)
			return error_set(
				err, EAGAIN, "pool %s keeps none ready", row.template_name);
		if (clock_now_ms() > until)
			return error_set(err, ETIMEDOUT,
				"pool %s: %u of %u ready after %d s%s%.100s", row.template_name,
				row.ready, row.min, REFILL_MS / 1000, row.broken[0] ? ": " : "",
				row.broken);
		poll(NULL, 0, LOOK_EVERY_MS);
	}
	*ret_ready = row.ready;
	return 0;
}

static int take_round(struct bench *b, struct error *err)
{
	unsigned long before = b->taken;
	uint32_t ready = 0, round;
	int r = release_all(b, err);

	if (r == 0)
		r = wait_until_full(b, &ready, err);
	round = ready / 2 > b->round_max ? b->round_max : ready / 2;
	if (round == 0)
		round = 1;
	while (r == 0 && round-- > 0 && b->taken < b->count)
		r = take_sample(b, err);
	if (r == 1)
		r = b->taken > before ? 0 : -err->code; /* all of ours is gone, and yet not one */
	return r;
}

static int connect_blocking(struct bench *b, struct error *err)
{
	const struct timeval answer = {.tv_sec = ANSWER_S};
	auto_close int dirfd = open(b->cli->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (dirfd < 0)
		return error_errno(err, "instance %s", b->cli->directory);
	b->socket = unix_socket_connect(dirfd, INSTANCE_CONTROL_SOCKET, SOCK_SEQPACKET, err);
	if (b->socket < 0)
		return b->socket;
	r = fd_set_nonblocking(b->socket, false);
	if (r < 0 || setsockopt(b->socket, SOL_SOCKET, SO_RCVTIMEO, &answer, sizeof(answer)) < 0)
		return error_set(
			err, EIO, "instance %s: its socket cannot wait", b->cli->directory);
	return 0;
}

static double in_us(const struct bench *b, unsigned per_mille)
{
	return (double)bench_percentile(b->samples_ns, b->taken, per_mille) / 1e3;
}

static int print_table(const struct bench *b, const char *kernel, struct error *err)
{
	static const struct cli_column columns[] = {{"N", true}, {"PAUSE_US", true},
		{"P50_US", true}, {"P99_US", true}, {"P999_US", true}, {"MAX_US", true},
		{"HITS", true}, {"MISSES", true}, {"FLOOR_P50_US", true}, {"CORES", true},
		{"KERNEL", false}};
	static const unsigned per_milles[] = {500, 990, 999, 1000};
	struct cli_table *table;
	int r = cli_table_create(b->cli, "bench", columns, ARRAY_SIZE(columns), &table, err);

	if (r < 0)
		return r;
	cli_table_add(table, "%lu", b->taken);
	cli_table_add(table, "%lu", b->pause_us);
	for (size_t i = 0; i < ARRAY_SIZE(per_milles); i++)
		cli_table_add(table, "%.1f", in_us(b, per_milles[i]));
	cli_table_add(table, "%lu", b->hits);
	cli_table_add(table, "%lu", b->misses);
	cli_table_add(table, "%.1f", (double)b->floor_p50_ns / 1e3);
	cli_table_add(table, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	cli_table_add(table, "%s", kernel);
	r = cli_table_print(table, err);
	cli_table_destroy(table);
	return r;
}

static int print_result(const struct bench *b, struct error *err)
{
	struct utsname host = {0};

	uname(&host);
	bench_sort(b->samples_ns, b->taken);
	if (!b->cli->json)
		return print_table(b, host.release, err);
	cli_print_json(
		json_pack("{s:I, s:I, s:f, s:f, s:f, s:f, s:I, s:I, s:f, s:b, s:I, s:I, s:s}", "n",
			(json_int_t)b->taken, "pause_us", (json_int_t)b->pause_us, "p50_us",
			in_us(b, 500), "p99_us", in_us(b, 990), "p999_us", in_us(b, 999), "max_us",
			in_us(b, 1000), "hits", (json_int_t)b->hits, "misses",
			(json_int_t)b->misses, "floor_p50_us", (double)b->floor_p50_ns / 1e3,
			"refill", (int)b->refill, "round", (json_int_t)b->round, "cores",
			(json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "kernel", host.release));
	return 0;
}

static int run_bench(struct bench *b, struct error *err)
{
	int r = connect_blocking(b, err);

	if (r == 0)
		r = bench_floor(b->count, b->pause_us, &b->floor_p50_ns, err);
	while (r == 0 && b->taken < b->count)
		r = take_round(b, err);
	if (r == 0)
		r = release_all(b, err);
	if (r == 0)
		r = print_result(b, err);
	return r;
}

int cli_bench_acquire(struct cli *cli, int argc, char **argv)
{
	struct bench b = {.cli = cli, .socket = -1, .round_max = ROUND_MAX};
	struct error err;
	int r;

	(void)argc;
	(void)argv;
	b.image = cli_option(cli, "image") ? cli_option(cli, "image") : "";
	b.refill = cli_option(cli, "refill");
	r = cli_option_number(cli, "count", 1, SAMPLES_MAX, 1000, &b.count);
	if (r == 0)
		r = cli_option_number(cli, "pause-us", 0, PAUSE_US_MAX, 0, &b.pause_us);
	if (r != 0)
		return r;
	b.samples_ns = malloc(b.count * sizeof(*b.samples_ns));
	b.held = calloc(ROUND_MAX, sizeof(*b.held));
	if (b.samples_ns && b.held) {
		/* Page faults are not the supervisor's. */
		memset(b.samples_ns, 0, b.count * sizeof(*b.samples_ns));
		memset(b.held, 0, ROUND_MAX * sizeof(*b.held));
		r = run_bench(&b, &err);
	} else {
		r = error_set(&err, ENOMEM, "no memory for %lu samples", b.count);
	}
	fd_close(b.socket);
	free(b.samples_ns);
	free(b.held);
	return r < 0 ? cli_fail(cli, &err, NULL) : CLI_OK;
}
