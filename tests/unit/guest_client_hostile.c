/* A guest that breaks the protocol, in each way there is: all is lost, once, and nothing else happens. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "proto/channel.h"
#include "tests/unit/guest_client_world.h"

static void assert_offence(struct world *w, const char *why, const struct asked *asked)
{
	world_assert_lost(w, EPROTO, "the guest broke the protocol: ", asked);
	if (!strstr(w->err.text, why))
		fail_msg("another offence than %s: %s", why, w->err.text);
	assert_int_equal(asked->outputs + asked->credits, 0);
}

static void packet_that_fails_its_check(void **state)
{
	struct guest_reply m = {.end = 99};
	struct asked asked = {0};

	world_exec(*state, 0, &asked);
	guest_header(&m.header, GUEST_REPLY, sizeof(m), asked.id);
	world_send_raw(*state, &m, sizeof(m));
	assert_offence(*state, "REPLY: end", &asked);
}

static void lost_that_comes_from_the_guest(void **state)
{
	struct guest_reply m = {.end = GUEST_END_LOST};
	struct asked asked = {0};

	world_exec(*state, 0, &asked);
	guest_header(&m.header, GUEST_REPLY, sizeof(m), asked.id);
	world_send_raw(*state, &m, sizeof(m));
	assert_offence(*state, "REPLY: end: 5", &asked);
}

static void packet_without_a_header(void **state)
{
	struct asked asked = {0};

	world_exec(*state, 0, &asked);
	world_send_raw(*state, "x", 1);
	assert_offence(*state, "no header", &asked);
}

static void packet_of_another_version(void **state)
{
	struct asked asked = {0};
	struct guest_credit m = {.bytes = 1};

	world_exec(*state, GUEST_EXEC_STDIN, &asked);
	guest_header(&m.header, GUEST_CREDIT, sizeof(m), asked.id);
	m.header.version++;
	world_send_raw(*state, &m, sizeof(m));
	assert_offence(*state, "version", &asked);
}

static void packet_in_the_wrong_direction(void **state)
{
	struct guest_cancel m;
	struct asked asked = {0};

	world_exec(*state, 0, &asked);
	guest_header(&m.header, GUEST_CANCEL, sizeof(m), asked.id);
	world_send_raw(*state, &m, sizeof(m));
	assert_offence(*state, "CANCEL: wrong direction", &asked);
}

static void packet_larger_than_any(void **state)
{
	static const char large[sizeof(struct guest_output) + GUEST_CHUNK_MAX + 1];
	struct asked asked = {0};

	world_exec(*state, 0, &asked);
	world_send_raw(*state, large, sizeof(large));
	assert_offence(*state, "EMSGSIZE", &asked);
}

/* None may leak: tear down counts. */
static void fds_beside_a_packet(void **state)
{
	struct world *w = *state;
	struct guest_reply m = {.end = GUEST_END_DONE};
	struct asked asked = {0};
	int fds[] = {w->guest, w->guest};

	world_exec(w, 0, &asked);
	guest_header(&m.header, GUEST_REPLY, sizeof(m), asked.id);
	assert_int_equal(channel_send(w->guest, &m, sizeof(m), NULL, 0, fds, 2), 0);
	assert_offence(w, "REPLY: 2 fds", &asked);
}

static void output_of_an_unknown_request(void **state)
{
	struct asked asked = {0};

	world_exec(*state, 0, &asked);
	world_output(*state, asked.id + 1, GUEST_STDOUT, "x", 1);
	assert_offence(*state, "no request has id 2", &asked);
}

static void credit_of_an_unknown_request(void **state)
{
	struct asked asked = {0};

	world_exec(*state, 0, &asked);
	world_credit(*state, asked.id + 1, 1);
	assert_offence(*state, "no request has id 2", &asked);
}

static void reply_to_an_unknown_request(void **state)
{
	struct asked asked = {0};

	world_exec(*state, 0, &asked);
	world_reply(*state, asked.id + 1);
	assert_offence(*state, "no request has id 2", &asked);
}

static void reply_without_any_request(void **state)
{
	world_reply(*state, 1);
	world_assert_lost(*state, EPROTO, "no request has id 1", NULL);
}

static void second_reply(void **state)
{
	struct asked first = {0}, second = {0};

	world_exec(*state, 0, &first);
	world_exec(*state, 0, &second);
	world_reply(*state, first.id);
	world_reply(*state, first.id);
	assert_offence(*state, "no request has id 1", &second);
	assert_int_equal(first.replies, 1);
	assert_int_equal(first.reply.end, GUEST_END_DONE);
}

static void output_after_the_reply(void **state)
{
	struct asked first = {0}, second = {0};

	world_exec(*state, 0, &first);
	world_exec(*state, 0, &second);
	world_reply(*state, first.id);
	world_output(*state, first.id, GUEST_STDOUT, "x", 1);
	assert_offence(*state, "no request has id 1", &second);
	assert_int_equal(first.outputs, 0);
}

static void data_of_a_command(void **state)
{
	struct asked asked = {0};

	world_exec(*state, 0, &asked);
	world_output(*state, asked.id, GUEST_DATA, "x", 1);
	assert_offence(*state, "OUTPUT: stream 3", &asked);
}

static void stderr_of_a_pty(void **state)
{
	struct asked asked = {0};

	world_exec(*state, GUEST_EXEC_PTY, &asked);
	world_output(*state, asked.id, GUEST_STDERR, "x", 1);
	assert_offence(*state, "OUTPUT: stream 2", &asked);
}

static void stdout_of_a_file_request(void **state)
{
	struct asked asked = {0};

	world_file(*state, GUEST_READ, &asked);
	world_output(*state, asked.id, GUEST_STDOUT, "x", 1);
	assert_offence(*state, "OUTPUT: stream 1", &asked);
}

static void data_of_a_request_that_answers_none(void **state)
{
	for (uint16_t type = GUEST_WRITE; type <= GUEST_EDIT; type++) {
		struct asked asked = {0};

		world_tear_down(state);
		world_set_up(state);
		world_file(*state, type, &asked);
		world_output(*state, asked.id, GUEST_DATA, "x", 1);
		assert_offence(*state, "OUTPUT: stream 3", &asked);
	}
}

static void more_data_than_was_asked_for(void **state)
{
	struct guest_file_options options = {
		.type = GUEST_READ, .path = "/dev/zero", .max_bytes = 3};
	struct asked asked = {0};

	world_file_options(*state, &options, &asked);
	world_output(*state, asked.id, GUEST_DATA, "123", 3);
	assert_int_equal(world_process(*state), 0);
	assert_int_equal(asked.output_bytes, 3);
	world_output(*state, asked.id, GUEST_DATA, "4", 1);
	world_assert_lost(*state, EPROTO, "more than was asked for", &asked);
	assert_int_equal(asked.output_bytes, 3);
}

static void more_data_than_the_default_allows(void **state)
{
	static const char chunk[GUEST_CHUNK_MAX];
	struct asked asked = {0};

	world_file(*state, GUEST_READ, &asked);
	for (unsigned i = 0; i < GUEST_FILE_OUTPUT / GUEST_CHUNK_MAX; i++) {
		world_output(*state, asked.id, GUEST_DATA, chunk, sizeof(chunk));
		assert_int_equal(world_process(*state), 0);
	}
	assert_int_equal(asked.output_bytes, GUEST_FILE_OUTPUT);
	world_output(*state, asked.id, GUEST_DATA, "x", 1);
	world_assert_lost(*state, EPROTO, "more than was asked for", &asked);
}

static void more_output_than_the_command_may_make(void **state)
{
	struct guest_exec_options options = {.argv = world_true, .output_max = 4};
	struct asked asked = {0};

	world_exec_options(*state, &options, &asked);
	world_output(*state, asked.id, GUEST_STDOUT, "12", 2);
	world_output(*state, asked.id, GUEST_STDERR, "34", 2);
	assert_int_equal(world_process(*state), 0);
	world_output(*state, asked.id, GUEST_STDOUT, "5", 1);
	world_assert_lost(*state, EPROTO, "more than was asked for", &asked);
	assert_int_equal(asked.output_bytes, 4);
}

static void credit_for_a_request_that_takes_no_input(void **state)
{
	struct asked asked = {0};

	world_exec(*state, 0, &asked);
	world_credit(*state, asked.id, 1);
	assert_offence(*state, "CREDIT: its request takes no INPUT", &asked);
}

static void credit_without_end(void **state)
{
	struct asked asked = {0};
	uint64_t credit = GUEST_INPUT_CREDIT;

	world_exec(*state, GUEST_EXEC_STDIN, &asked);
	while (credit + GUEST_INPUT_CREDIT <= UINT32_MAX) {
		world_credit(*state, asked.id, GUEST_INPUT_CREDIT);
		assert_int_equal(world_process(*state), 0);
		credit += GUEST_INPUT_CREDIT;
	}
	assert_int_equal(asked.request->credit, credit);
	world_credit(*state, asked.id, GUEST_INPUT_CREDIT);
	world_assert_lost(*state, EPROTO, "CREDIT: too much in all", &asked);
}

/* A guest that guesses the id of a request that still waits on our side. */
static void answer_before_its_request(void **state)
{
	static struct asked asked[10000];
	struct world *w = *state;
	size_t last = 0;

	assert_int_equal(world_exec(w, 0, &asked[last]), 0);
	while (!guest_client_wants_write(w->client) && last + 1 < ARRAY_SIZE(asked))
		assert_int_equal(world_exec(w, 0, &asked[++last]), 0);
	assert_false(asked[last].request->is_sent);
	world_reply(w, asked[last].id);
	assert_offence(w, "an answer before its request", &asked[last]);
}

static void guest_that_reads_no_more(void **state)
{
	struct world *w = *state;
	struct asked before = {0}, after = {0};

	world_exec(w, 0, &before);
	assert_int_equal(shutdown(w->guest, SHUT_RD), 0);
	assert_int_equal(world_exec(w, 0, &after), -EPIPE);
	world_assert_lost(w, EPIPE, "the sandbox reads no more", &before);
}

static void guest_that_writes_no_more(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};

	world_exec(w, 0, &asked);
	assert_int_equal(shutdown(w->guest, SHUT_WR), 0);
	world_assert_lost(w, EPIPE, "the sandbox has ended", &asked);
}

/* A packet of no bytes is how an end looks. */
static void packet_of_no_bytes(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};

	world_exec(w, 0, &asked);
	assert_int_equal(send(w->guest, "", 0, MSG_NOSIGNAL), 0);
	world_assert_lost(w, EPIPE, "the sandbox has ended", &asked);
}

/* It may not keep the owner's event loop for itself. */
static void flood_leaves_others_their_turn(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};
	unsigned sent = 0;
	struct guest_output m = {.stream = GUEST_STDOUT};

	world_exec(w, 0, &asked);
	guest_header(&m.header, GUEST_OUTPUT, sizeof(m) + 1, asked.id);
	while (channel_send(w->guest, &m, sizeof(m), "x", 1, NULL, 0) == 0)
		sent++;
	while (asked.outputs < sent) {
		unsigned before = asked.outputs;

		assert_int_equal(world_process(w), 0);
		assert_true(asked.outputs > before);
		assert_true(asked.outputs - before <= 256);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(packet_that_fails_its_check),
		WORLD_TEST(lost_that_comes_from_the_guest),
		WORLD_TEST(packet_without_a_header),
		WORLD_TEST(packet_of_another_version),
		WORLD_TEST(packet_in_the_wrong_direction),
		WORLD_TEST(packet_larger_than_any),
		WORLD_TEST(fds_beside_a_packet),
		WORLD_TEST(output_of_an_unknown_request),
		WORLD_TEST(credit_of_an_unknown_request),
		WORLD_TEST(reply_to_an_unknown_request),
		WORLD_TEST(reply_without_any_request),
		WORLD_TEST(second_reply),
		WORLD_TEST(output_after_the_reply),
		WORLD_TEST(data_of_a_command),
		WORLD_TEST(stderr_of_a_pty),
		WORLD_TEST(stdout_of_a_file_request),
		WORLD_TEST(data_of_a_request_that_answers_none),
		WORLD_TEST(more_data_than_was_asked_for),
		WORLD_TEST(more_data_than_the_default_allows),
		WORLD_TEST(more_output_than_the_command_may_make),
		WORLD_TEST(credit_for_a_request_that_takes_no_input),
		WORLD_TEST(credit_without_end),
		WORLD_TEST(answer_before_its_request),
		WORLD_TEST(guest_that_reads_no_more),
		WORLD_TEST(guest_that_writes_no_more),
		WORLD_TEST(packet_of_no_bytes),
		WORLD_TEST(flood_leaves_others_their_turn),
	};

	return cmocka_run_group_tests_name("guest_client_hostile", tests, NULL, NULL);
}
