/* The guest's loop: packets that break the protocol, and thousands of requests in flight. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "proto/channel.h"
#include "tests/unit/guest_child.h"

#define REQUESTS      2000
#define CANCEL_ONE_IN 8
#define TURN_ONE_IN   16
#define WAIT_MS	      20000

static struct guest_child child;
static struct call calls[REQUESTS];
static unsigned kinds[REQUESTS];
static unsigned short seed_state[3];

static int set_up(void **state)
{
	(void)state;
	guest_child_start(&child);
	return 0;
}

static int set_up_raw(void **state)
{
	(void)state;
	guest_child_start_raw(&child);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	guest_child_stop(&child);
	for (int i = 0; i < REQUESTS; i++)
		call_finish(&calls[i]);
	return 0;
}

static void send_packet(const void *packet, size_t size)
{
	assert_int_equal(channel_send(child.channel, packet, size, NULL, 0, NULL, 0), 0);
}

/* The packet of a STAT, or with other fields what is none. */
struct stat_packet {
	struct guest_file message;
	char path[8];
};

static struct stat_packet stat_packet(uint32_t id)
{
	struct stat_packet packet = {.path = "/tmp/ab"};

	guest_header(&packet.message.header, GUEST_STAT, sizeof(packet), id);
	return packet;
}

static void a_second_request_with_an_id_in_flight_ends_the_guest(void **state)
{
	struct stat_packet packet = stat_packet(7);

	(void)state;
	/* A WRITE waits for its content and so is in flight for certain. */
	packet.message.header.type = GUEST_WRITE;
	send_packet(&packet, sizeof(packet));
	send_packet(&packet, sizeof(packet));
	guest_child_wait_gone(&child);
}

static void a_packet_of_an_unknown_type_ends_the_guest(void **state)
{
	struct stat_packet packet = stat_packet(1);

	(void)state;
	packet.message.header.type = 99;
	send_packet(&packet, sizeof(packet));
	guest_child_wait_gone(&child);
}

static void a_packet_that_only_a_guest_may_send_ends_the_guest(void **state)
{
	struct guest_credit packet = {.bytes = 1};

	(void)state;
	guest_header(&packet.header, GUEST_CREDIT, sizeof(packet), 1);
	send_packet(&packet, sizeof(packet));
	guest_child_wait_gone(&child);
}

static void a_packet_whose_size_is_a_lie_ends_the_guest(void **state)
{
	struct stat_packet packet = stat_packet(1);

	(void)state;
	packet.message.header.size++;
	send_packet(&packet, sizeof(packet));
	guest_child_wait_gone(&child);
}

static void a_packet_shorter_than_a_header_ends_the_guest(void **state)
{
	(void)state;
	send_packet("x", 1);
	guest_child_wait_gone(&child);
}

static void a_string_without_its_end_ends_the_guest(void **state)
{
	struct stat_packet packet = stat_packet(1);

	(void)state;
	packet.path[sizeof(packet.path) - 1] = 'x';
	send_packet(&packet, sizeof(packet));
	guest_child_wait_gone(&child);
}

static void an_unknown_flag_ends_the_guest(void **state)
{
	struct stat_packet packet = stat_packet(1);

	(void)state;
	packet.message.flags = GUEST_FILE_FLAGS_ALL + 1;
	send_packet(&packet, sizeof(packet));
	guest_child_wait_gone(&child);
}

static void follow_ups_of_no_request_are_no_offence(void **state)
{
	struct guest_cancel cancel;
	struct guest_signal signal = {.signal = 9};
	struct guest_resize resize = {.rows = 1, .columns = 1};
	struct guest_input input = {.is_end = 1};

	(void)state;
	guest_header(&cancel.header, GUEST_CANCEL, sizeof(cancel), 5);
	guest_header(&signal.header, GUEST_SIGNAL, sizeof(signal), 5);
	guest_header(&resize.header, GUEST_RESIZE, sizeof(resize), 5);
	guest_header(&input.header, GUEST_INPUT, sizeof(input), 5);
	send_packet(&cancel, sizeof(cancel));
	send_packet(&signal, sizeof(signal));
	send_packet(&resize, sizeof(resize));
	send_packet(&input, sizeof(input));
	assert_int_equal(guest_client_create(child.channel, &child.client, NULL), 0);
	guest_child_run(&child, &calls[0], "echo alive", NULL);
	assert_string_equal(guest_child_output(&calls[0]), "alive\n");
}

/* One packet of the guest, of request 7. */
static const struct message_header *receive(void)
{
	static _Alignas(8) char packet[GUEST_PACKET_MAX];
	const struct message_header *h = (const void *)packet;
	struct pollfd p = {.fd = child.channel, .events = POLLIN};
	int fds[CHANNEL_FDS_MAX];
	size_t count;

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
	assert_true(channel_receive(child.channel, packet, sizeof(packet), fds, &count) > 0);
	assert_int_equal(h->id, 7);
	return h;
}

static void an_id_may_come_again_after_its_reply(void **state)
{
	struct stat_packet packet = stat_packet(7);

	(void)state;
	for (int i = 0; i < 2; i++) {
		send_packet(&packet, sizeof(packet));
		while (receive()->type != GUEST_REPLY)
			;
	}
}

/* Nobody reads it, so no credit comes back: more than was granted is more than it may be. */
static void input_beyond_the_credit_fails_its_request_only(void **state)
{
	static struct {
		struct guest_input head;
		char bytes[GUEST_CHUNK_MAX];
	} input;
	struct {
		struct guest_exec message;
		char strings[10]; /* the last one, cwd, is empty */
	} exec = {.message = {.flags = GUEST_EXEC_STDIN, .argc = 2},
		.strings = "sleep\0"
			   "99"};
	const struct guest_reply *reply;

	(void)state;
	guest_header(&exec.message.header, GUEST_EXEC,
		(uint32_t)(offsetof(typeof(exec), strings) + sizeof("sleep\0"
								    "99\0")),
		7);
	send_packet(&exec, exec.message.header.size);
	guest_header(&input.head.header, GUEST_INPUT, sizeof(input), 7);
	/* What the pipe takes is given back as credit, but only by a CREDIT of a quarter. */
	for (unsigned i = 0; i < 2 * GUEST_INPUT_CREDIT / GUEST_CHUNK_MAX; i++)
		send_packet(&input, sizeof(input));
	do
		reply = (const void *)receive();
	while (reply->header.type != GUEST_REPLY);
	assert_int_equal(reply->end, GUEST_END_FAILED);
	assert_int_equal(reply->error, EPROTO);
	assert_int_equal(guest_client_create(child.channel, &child.client, NULL), 0);
	guest_child_run(&child, &calls[0], "echo alive", NULL);
	assert_string_equal(guest_child_output(&calls[0]), "alive\n");
}

static unsigned chance(unsigned below)
{
	return (unsigned)nrand48(seed_state) % below;
}

struct kind {
	struct guest_file_options file; /* type 0: a command */
	const char *input;
	size_t input_size;
	const char *output; /* what DONE must bring; NULL: not looked at */
};

static const struct kind all_kinds[] = {
	{.output = "done\n"},
	{.file = {.type = GUEST_READ, .path = "d/e/f"}, .output = "needle\n"},
	{.file = {.type = GUEST_WRITE, .path = "new/written"}, "content", 7, ""},
	{.file = {.type = GUEST_EDIT, .path = "edit"}, "text\0text", 9, ""},
	{.file = {.type = GUEST_STAT, .path = "d/e/f"}},
	{.file = {.type = GUEST_LIST, .path = "d/e"}},
	{.file = {.type = GUEST_GLOB, .path = "d", .pattern = "**/f"}},
	{.file = {.type = GUEST_GREP, .path = "d", .pattern = "need.e", .include = ""}},
};

static void start(unsigned i)
{
	const struct kind *kind = &all_kinds[kinds[i] = chance(ARRAY_SIZE(all_kinds))];

	if (kind->file.type)
		call_file(child.client, &calls[i], &kind->file, kind->input, kind->input_size);
	else
		call_command(child.client, &calls[i], "echo done", NULL);
}

static void check(unsigned i)
{
	const struct call *call = &calls[i];
	const struct kind *kind = &all_kinds[kinds[i]];

	if (call->replies != 1)
		fail_msg("request %u of kind %u: %u replies", i, kinds[i], call->replies);
	if (call->reply.end == GUEST_END_CANCELLED)
		return;
	if (call->reply.end != GUEST_END_DONE)
		fail_msg("request %u of kind %u: end %u: %s", i, kinds[i], call->reply.end,
			call->reply.text);
	if (kind->output)
		assert_string_equal(guest_child_output(call), kind->output);
	else
		assert_true(call->size > 0);
}

/* HEARTH_SEED=N repeats the run that printed "seed N". */
static void each_of_two_thousand_requests_with_cancels_is_replied_once(void **state)
{
	const char *word = getenv("HEARTH_SEED");
	unsigned long seed = word ? strtoul(word, NULL, 10) : clock_now_ns() & 0xffffffff;
	unsigned cancelled = 0;

	(void)state;
	print_message("# seed %lu\n", seed);
	seed_state[0] = (unsigned short)seed;
	seed_state[1] = (unsigned short)(seed >> 16);
	guest_child_put(&child, "d/e/f", "needle\n");
	guest_child_put(&child, "edit", "text");
	for (unsigned i = 0; i < REQUESTS; i++) {
		unsigned victim = chance(i + 1);

		start(i);
		if (chance(TURN_ONE_IN) == 0)
			calls_turn(child.client, 0);
		if (chance(CANCEL_ONE_IN) == 0 && calls[victim].request)
			assert_int_equal(guest_request_cancel(calls[victim].request), 0);
	}
	calls_wait(child.client);
	for (unsigned i = 0; i < REQUESTS; i++) {
		check(i);
		cancelled += calls[i].reply.end == GUEST_END_CANCELLED;
	}
	assert_in_range(cancelled, 1, REQUESTS / 2);
	assert_string_equal(guest_child_get(&child, "edit"), "text");
}

#define with_client(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define with_channel(f) cmocka_unit_test_setup_teardown(f, set_up_raw, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_channel(a_second_request_with_an_id_in_flight_ends_the_guest),
		with_channel(an_id_may_come_again_after_its_reply),
		with_channel(a_packet_of_an_unknown_type_ends_the_guest),
		with_channel(a_packet_that_only_a_guest_may_send_ends_the_guest),
		with_channel(a_packet_whose_size_is_a_lie_ends_the_guest),
		with_channel(a_packet_shorter_than_a_header_ends_the_guest),
		with_channel(a_string_without_its_end_ends_the_guest),
		with_channel(an_unknown_flag_ends_the_guest),
		with_channel(follow_ups_of_no_request_are_no_offence),
		with_channel(input_beyond_the_credit_fails_its_request_only),
		with_client(each_of_two_thousand_requests_with_cancels_is_replied_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
