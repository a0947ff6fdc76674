/* Asking the supervisor from an event loop: answers by callback, in whatever order they come. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "tests/unit/control_client_world.h"

static int process(struct world *w)
{
	return control_client_process(w->client, &w->err);
}

/* Given up: every call says so, and the supervisor sees the end. */
static void assert_lost(struct world *w, int code)
{
	struct control_acquire request;
	uint32_t size = world_request(CONTROL_ACQUIRE, &request);

	assert_int_equal(process(w), -code);
	assert_int_equal(w->err.code, code);
	assert_int_equal(process(w), -code);
	assert_int_equal(control_client_send(w->client, CONTROL_ACQUIRE, &request, size,
				 world_on_answer, w, &w->err),
		-code);
	assert_true(world_client_is_gone(w));
}

static void request_arrives_with_its_header_filled(void **state)
{
	struct world *w = *state;
	struct message_header h;

	world_send(w, CONTROL_ACQUIRE);
	assert_true(world_read(w, &h));
	assert_int_equal(h.type, CONTROL_ACQUIRE);
	assert_int_not_equal(h.id, 0);
}

static void answers_find_their_requests_in_any_order(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 3; i++)
		world_send(w, CONTROL_TOUCH);
	world_answer(w, CONTROL_DONE, 2);
	world_answer(w, CONTROL_DONE, 3);
	world_answer(w, CONTROL_REFUSED, 1);
	assert_int_equal(process(w), 0);
	assert_int_equal(w->seen.answers, 3);
	assert_int_equal(w->seen.last_answers, 3);
	assert_int_equal(w->seen.ids[0], 2);
	assert_int_equal(w->seen.ids[1], 3);
	assert_int_equal(w->seen.ids[2], 1);
	assert_int_equal(w->seen.types[2], CONTROL_REFUSED);
}

static void leased_brings_an_fd_for_the_callee(void **state)
{
	struct world *w = *state;

	world_send(w, CONTROL_ACQUIRE);
	world_answer(w, CONTROL_LEASED, 1);
	assert_int_equal(process(w), 0);
	assert_int_equal(w->seen.types[0], CONTROL_LEASED);
	assert_int_equal(fcntl(w->seen.fd, F_GETFD), FD_CLOEXEC);
}

static void an_acquire_of_several_has_an_answer_for_each(void **state)
{
	struct world *w = *state;
	struct control_acquire batch = {.count = 3};

	assert_int_equal(control_client_send(w->client, CONTROL_ACQUIRE, &batch, sizeof(batch),
				 world_on_answer, w, &w->err),
		0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(w->seen.last_answers, 0);
		world_answer(w, i == 1 ? CONTROL_REFUSED : CONTROL_LEASED, 1);
		assert_int_equal(process(w), 0);
		assert_int_equal(w->seen.answers, i + 1);
	}
	assert_int_equal(w->seen.last_answers, 1);
	/* The waiting call keeps one answer: it does not ask for more. */
	assert_int_equal(control_client_call(w->client, CONTROL_ACQUIRE, &batch, sizeof(batch),
				 NULL, 0, NULL, 0, NULL, &w->err),
		-EINVAL);
}

static void rows_come_before_the_last_answer(void **state)
{
	struct world *w = *state;

	world_send(w, CONTROL_LIST);
	world_send(w, CONTROL_POOLS);
	world_answer(w, CONTROL_SANDBOX_ROW, 1);
	world_answer(w, CONTROL_POOL_ROW, 2);
	world_answer(w, CONTROL_SANDBOX_ROW, 1);
	assert_int_equal(process(w), 0);
	assert_int_equal(w->seen.answers, 3);
	assert_int_equal(w->seen.last_answers, 0);
	world_answer(w, CONTROL_DONE, 1);
	world_answer(w, CONTROL_REFUSED, 2);
	assert_int_equal(process(w), 0);
	assert_int_equal(w->seen.last_answers, 2);
}

static void request_that_the_protocol_does_not_allow_is_not_sent(void **state)
{
	struct world *w = *state;
	struct control_acquire acquire = {.on_empty = 99};
	struct message_header h;

	assert_int_equal(control_client_send(w->client, CONTROL_ACQUIRE, &acquire, sizeof(acquire),
				 world_on_answer, w, &w->err),
		-EINVAL);
	assert_int_equal(w->err.code, EINVAL);
	assert_non_null(strstr(w->err.text, "on_empty"));
	/* An answer is no request either. */
	assert_int_equal(control_client_send(
				 w->client, CONTROL_DONE, &acquire, 16, world_on_answer, w, NULL),
		-EINVAL);
	assert_false(world_read(w, &h));
	assert_int_equal(process(w), 0);
}

static void lease_that_ends_is_told(void **state)
{
	struct world *w = *state;

	world_answer(w, CONTROL_LEASE_ENDED, 0);
	assert_int_equal(process(w), 0); /* nobody listens: no harm */
	control_client_on_ended(w->client, world_on_ended, w);
	world_answer(w, CONTROL_LEASE_ENDED, 0);
	assert_int_equal(process(w), 0);
	assert_int_equal(w->seen.ended, 1);
	assert_int_equal(w->seen.last_ended.reason, LEASE_IDLE);
	assert_int_equal(w->seen.answers, 0);
}

static void lease_that_is_frozen_is_told(void **state)
{
	struct world *w = *state;

	world_answer(w, CONTROL_LEASE_FROZEN, 0);
	assert_int_equal(process(w), 0); /* nobody listens: no harm */
	control_client_on_frozen(w->client, world_on_frozen, w);
	world_answer(w, CONTROL_LEASE_FROZEN, 0);
	assert_int_equal(process(w), 0);
	assert_int_equal(w->seen.frozen, 1);
	assert_int_equal(w->seen.answers, 0);
}

static void receipt_is_told(void **state)
{
	struct world *w = *state;

	world_answer(w, CONTROL_RECEIPT, 0);
	assert_int_equal(process(w), 0); /* nobody listens: no harm */
	control_client_on_receipt(w->client, world_on_receipt, w);
	world_answer(w, CONTROL_LEASE_ENDED, 0);
	world_answer(w, CONTROL_RECEIPT, 0);
	assert_int_equal(process(w), 0);
	assert_int_equal(w->seen.receipts, 1);
	assert_int_equal(w->seen.last_receipt.reason, LEASE_KILLED);
	assert_int_equal(w->seen.last_receipt.usage.pids_peak, 7);
	assert_int_equal(w->seen.answers, 0);
}

static void answer_to_an_unknown_id_ends_the_connection(void **state)
{
	struct world *w = *state;

	world_send(w, CONTROL_ACQUIRE);
	world_answer(w, CONTROL_LEASED, 2); /* its fd must not leak: tear down counts */
	assert_lost(w, EPROTO);
	assert_int_equal(w->seen.answers, 0);
}

static void answer_to_an_id_of_the_same_slot_ends_the_connection(void **state)
{
	struct world *w = *state;

	world_send(w, CONTROL_TOUCH);
	world_answer(w, CONTROL_DONE, 1 + CONTROL_PENDING_MAX);
	assert_lost(w, EPROTO);
}

static void second_answer_ends_the_connection(void **state)
{
	struct world *w = *state;

	world_send(w, CONTROL_TOUCH);
	world_answer(w, CONTROL_DONE, 1);
	world_answer(w, CONTROL_DONE, 1);
	assert_lost(w, EPROTO);
	assert_int_equal(w->seen.answers, 1);
}

static void answer_that_does_not_fit_its_request_ends_the_connection(void **state)
{
	static const uint16_t requests[] = {CONTROL_ACQUIRE, CONTROL_RELEASE, CONTROL_TOUCH,
		CONTROL_LIST, CONTROL_POOLS, CONTROL_NET, CONTROL_INSPECT};
	static const uint16_t answers[] = {CONTROL_LEASED, CONTROL_DONE, CONTROL_REFUSED,
		CONTROL_SANDBOX_ROW, CONTROL_POOL_ROW, CONTROL_SANDBOX_DETAILS};
	static const bool fits[ARRAY_SIZE(requests)][ARRAY_SIZE(answers)] = {
		{true, false, true, false, false, false},
		{false, true, true, false, false, false},
		{false, true, true, false, false, false},
		{false, true, true, true, false, false},
		{false, true, true, false, true, false},
		{false, true, true, false, false, false},
		{false, false, true, false, false, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		for (size_t j = 0; j < ARRAY_SIZE(answers); j++) {
			struct world *w;

			world_tear_down(state);
			world_set_up(state);
			w = *state;
			world_send(w, requests[i]);
			world_answer(w, answers[j], 1);
			assert_int_equal(process(w), fits[i][j] ? 0 : -EPROTO);
			assert_int_equal(w->seen.answers, fits[i][j]);
		}
}

static void answer_that_fails_its_check_ends_the_connection(void **state)
{
	struct world *w = *state;
	struct control_leased leased = {.rung = 77};
	const int fds[] = {w->supervisor, w->supervisor};

	world_send(w, CONTROL_ACQUIRE);
	control_header(&leased.header, CONTROL_LEASED, sizeof(leased), 1);
	world_answer_raw(w, &leased, sizeof(leased), fds, 2);
	assert_lost(w, EPROTO);
	assert_non_null(strstr(w->err.text, "LEASED: 2 fds"));
	assert_int_equal(w->seen.answers, 0);
}

static void answer_that_is_too_large_ends_the_connection(void **state)
{
	struct world *w = *state;
	static const char large[CONTROL_PACKET_MAX + 1];

	world_answer_raw(w, large, sizeof(large), NULL, 0);
	assert_lost(w, EMSGSIZE);
}

static void end_of_the_supervisor_is_told_after_its_last_words(void **state)
{
	struct world *w = *state;

	control_client_on_ended(w->client, world_on_ended, w);
	world_send(w, CONTROL_ACQUIRE);
	world_send(w, CONTROL_TOUCH);
	world_answer(w, CONTROL_DONE, 2);
	world_answer(w, CONTROL_LEASE_ENDED, 0);
	fd_close(take_fd(&w->supervisor)); /* with our requests unread */
	assert_int_equal(process(w), -EPIPE);
	assert_string_equal(w->err.text, "the supervisor has closed the connection");
	assert_int_equal(w->seen.answers, 1);
	assert_int_equal(w->seen.ended, 1);
}

static void supervisor_that_has_gone_is_asked_nothing(void **state)
{
	struct world *w = *state;
	struct control_query query;

	fd_close(take_fd(&w->supervisor));
	assert_int_equal(control_client_send(w->client, CONTROL_LIST, &query, sizeof(query),
				 world_on_answer, w, &w->err),
		-EPIPE);
	assert_int_equal(w->err.code, EPIPE);
}

static void destroying_refuses_what_is_pending(void **state)
{
	struct world *w = *state;

	world_send(w, CONTROL_ACQUIRE);
	world_send(w, CONTROL_LIST);
	world_answer(w, CONTROL_SANDBOX_ROW, 2);
	assert_int_equal(process(w), 0);
	control_client_destroy(w->client);
	w->client = NULL;
	assert_int_equal(w->seen.answers, 3);
	assert_int_equal(w->seen.last_answers, 2);
	assert_int_equal(w->seen.refused.refusal, REFUSED_STOPPING);
	assert_string_not_equal(w->seen.refused.text, "");
	assert_true(world_client_is_gone(w));
	control_client_destroy(NULL);
}

/* Not one is lost, and they stay in order, although the socket takes only some of them. */
static void requests_wait_their_turn_when_the_socket_is_full(void **state)
{
	struct world *w = *state;
	struct control_query query;
	struct message_header h;
	uint32_t next = 1;

	for (int i = 0; i < CONTROL_PENDING_MAX; i++)
		world_send(w, CONTROL_ACQUIRE);
	assert_true(w->client->unsent_count > 0);
	assert_int_equal(control_client_send(w->client, CONTROL_LIST, &query, sizeof(query),
				 world_on_answer, w, &w->err),
		-EBUSY);

	while (next <= CONTROL_PENDING_MAX) {
		assert_true(world_read(w, &h));
		assert_int_equal(h.id, next++);
		world_answer_refused(w, h.id, REFUSED_EMPTY, "");
		assert_int_equal(process(w), 0);
	}
	assert_int_equal(w->seen.last_answers, CONTROL_PENDING_MAX);
	assert_int_equal(w->client->unsent_count, 0);
	world_send(w, CONTROL_LIST);
	assert_true(world_read(w, &h));
}

static void answer_to_a_request_that_was_not_sent_yet_ends_the_connection(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < CONTROL_PENDING_MAX; i++)
		world_send(w, CONTROL_ACQUIRE);
	world_answer(w, CONTROL_REFUSED, CONTROL_PENDING_MAX);
	assert_lost(w, EPROTO);
}

static void id_is_not_used_again_while_it_has_no_answer(void **state)
{
	struct world *w = *state;
	struct message_header h;

	world_send(w, CONTROL_ACQUIRE); /* id 1, unanswered */
	w->client->last_id = UINT32_MAX - 1;
	world_send(w, CONTROL_TOUCH);
	world_send(w, CONTROL_TOUCH);
	world_read(w, &h);
	assert_int_equal(h.id, 1);
	world_read(w, &h);
	assert_int_equal(h.id, UINT32_MAX);
	world_read(w, &h);
	assert_int_equal(h.id, 2); /* neither 0 nor 1 */
}

static void send_touch_again(void *arg, const struct message_header *answer, int fd, bool is_last)
{
	struct world *w = arg;

	world_on_answer(arg, answer, fd, is_last);
	world_send(w, CONTROL_TOUCH);
}

static void callback_may_ask_again(void **state)
{
	struct world *w = *state;
	struct control_lease lease;
	struct message_header h;
	uint32_t size = world_request(CONTROL_TOUCH, &lease);

	assert_int_equal(control_client_send(
				 w->client, CONTROL_TOUCH, &lease, size, send_touch_again, w, NULL),
		0);
	world_answer(w, CONTROL_DONE, 1);
	assert_int_equal(process(w), 0);
	assert_true(world_read(w, &h));
	assert_true(world_read(w, &h));
	assert_int_equal(h.id, 2);
	assert_int_equal(w->client->pending_count, 1);
}

static void no_socket_cannot_be_adopted(void **state)
{
	struct control_client *client = NULL;
	struct error err;

	(void)state;
	assert_int_equal(control_client_adopt(-1, &client, &err), -EBADF);
	assert_null(client);
}

static void fd_is_the_one_that_was_adopted(void **state)
{
	struct world *w = *state;

	assert_true(control_client_fd(w->client) >= 0);
	assert_true(fcntl(control_client_fd(w->client), F_GETFL) & O_NONBLOCK);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(request_arrives_with_its_header_filled),
		WORLD_TEST(answers_find_their_requests_in_any_order),
		WORLD_TEST(leased_brings_an_fd_for_the_callee),
		WORLD_TEST(an_acquire_of_several_has_an_answer_for_each),
		WORLD_TEST(rows_come_before_the_last_answer),
		WORLD_TEST(request_that_the_protocol_does_not_allow_is_not_sent),
		WORLD_TEST(lease_that_ends_is_told),
		WORLD_TEST(lease_that_is_frozen_is_told),
		WORLD_TEST(receipt_is_told),
		WORLD_TEST(answer_to_an_unknown_id_ends_the_connection),
		WORLD_TEST(answer_to_an_id_of_the_same_slot_ends_the_connection),
		WORLD_TEST(second_answer_ends_the_connection),
		WORLD_TEST(answer_that_does_not_fit_its_request_ends_the_connection),
		WORLD_TEST(answer_that_fails_its_check_ends_the_connection),
		WORLD_TEST(answer_that_is_too_large_ends_the_connection),
		WORLD_TEST(end_of_the_supervisor_is_told_after_its_last_words),
		WORLD_TEST(supervisor_that_has_gone_is_asked_nothing),
		WORLD_TEST(destroying_refuses_what_is_pending),
		WORLD_TEST(requests_wait_their_turn_when_the_socket_is_full),
		WORLD_TEST(answer_to_a_request_that_was_not_sent_yet_ends_the_connection),
		WORLD_TEST(id_is_not_used_again_while_it_has_no_answer),
		WORLD_TEST(callback_may_ask_again),
		WORLD_TEST(no_socket_cannot_be_adopted),
		WORLD_TEST(fd_is_the_one_that_was_adopted),
	};

	return cmocka_run_group_tests_name("control_client", tests, NULL, NULL);
}
