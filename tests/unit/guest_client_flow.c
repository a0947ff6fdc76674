/* Many requests at once, stdin within its credit, a guest that reads slowly or never. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "tests/unit/guest_client_world.h"

static struct read_packet packet;
static char data[GUEST_INPUT_CREDIT + 1];

static void credit_is_counted_down_and_granted_anew(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};

	assert_int_equal(world_exec(w, GUEST_EXEC_STDIN, &asked), 0);
	assert_int_equal(guest_request_credit(asked.request), GUEST_INPUT_CREDIT);
	assert_int_equal(
		guest_request_input(asked.request, data, GUEST_INPUT_CREDIT + 1, false), -EAGAIN);
	assert_int_equal(guest_request_input(asked.request, data, GUEST_INPUT_CREDIT, false), 0);
	assert_int_equal(guest_request_credit(asked.request), 0);
	assert_int_equal(guest_request_input(asked.request, data, 1, false), -EAGAIN);
	world_credit(w, asked.id, 10);
	assert_int_equal(world_process(w), 0);
	assert_int_equal(asked.credits, 1);
	assert_int_equal(guest_request_credit(asked.request), 10);
	assert_int_equal(guest_request_input(asked.request, data, 10, false), 0);
}

static void requests_without_input_have_no_credit(void **state)
{
	struct world *w = *state;

	for (uint16_t type = GUEST_READ; type <= GUEST_GREP; type++) {
		bool takes_input = type == GUEST_WRITE || type == GUEST_EDIT;
		struct asked asked = {0};

		assert_int_equal(world_file(w, type, &asked), 0);
		assert_int_equal(
			guest_request_credit(asked.request), takes_input ? GUEST_INPUT_CREDIT : 0);
		assert_int_equal(
			guest_request_input(asked.request, "", 0, true), takes_input ? 0 : -EINVAL);
	}
}

/* Read INPUT packets until the end mark, answering nothing. Returns their bytes; in order: 0, 1, 2... */
static uint32_t read_input(struct world *w, uint32_t id, uint8_t *next)
{
	const struct guest_input *m = (const void *)packet.bytes;
	uint32_t bytes = 0;

	do {
		world_expect(w, GUEST_INPUT, id, &packet);
		assert_int_equal(world_process(w), 0); /* there may be room for more */
		for (uint32_t i = sizeof(*m); i < m->header.size; i++, bytes++)
			if ((uint8_t)packet.bytes[i] != (*next)++)
				fail_msg("byte %u is wrong", bytes);
	} while (!m->is_end);
	return bytes;
}

static void input_arrives_in_order_up_to_its_end(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};
	uint8_t next = 0;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)i;
	assert_int_equal(world_file(w, GUEST_WRITE, &asked), 0);
	assert_int_equal(guest_request_input(asked.request, data, 256, false), 0);
	assert_int_equal(guest_request_input(asked.request, data, 0, false), 0); /* nothing */
	assert_int_equal(guest_request_input(asked.request, data, 3 * GUEST_CHUNK_MAX, false), 0);
	assert_int_equal(guest_request_input(asked.request, data, GUEST_CHUNK_MAX + 1, true), 0);
	assert_int_equal(guest_request_input(asked.request, data, 1, false), -EINVAL);
	assert_int_equal(guest_request_input(asked.request, data, 0, true), -EINVAL);
	world_expect(w, GUEST_WRITE, asked.id, &packet);
	assert_int_equal(read_input(w, asked.id, &next), 256 + 4 * GUEST_CHUNK_MAX + 1);
	assert_false(world_read(w, &packet));
	world_credit(w, asked.id, 1000); /* for what it had: no news to the owner */
	assert_int_equal(world_process(w), 0);
	assert_int_equal(asked.credits, 0);
}

static void end_alone_arrives(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};
	uint8_t next = 0;

	assert_int_equal(world_exec(w, GUEST_EXEC_STDIN, &asked), 0);
	assert_int_equal(guest_request_input(asked.request, NULL, 0, true), 0);
	world_expect(w, GUEST_EXEC, asked.id, &packet);
	assert_int_equal(read_input(w, asked.id, &next), 0);
}

static void reply_drops_input_that_still_waits(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};
	size_t arrived = 0;

	assert_int_equal(world_exec(w, GUEST_EXEC_STDIN, &asked), 0);
	assert_int_equal(guest_request_input(asked.request, data, GUEST_INPUT_CREDIT, true), 0);
	assert_true(guest_client_wants_write(w->client));
	world_reply(w, asked.id);
	assert_int_equal(world_process(w), 0);
	assert_int_equal(asked.replies, 1);
	assert_false(guest_client_wants_write(w->client));
	assert_int_equal(w->client->queued_bytes, 0);
	while (world_read(w, &packet)) {
		arrived += packet.header.size;
		assert_int_equal(world_process(w), 0);
	}
	assert_true(arrived < GUEST_INPUT_CREDIT);
}

/* Start commands until the client says that the guest does not read. */
static size_t fill(struct world *w, struct asked *asked, size_t max, size_t argument_size)
{
	char *argument = malloc(argument_size);
	const char *const argv[] = {argument, NULL};
	const struct guest_exec_options options = {.argv = argv, .flags = GUEST_EXEC_STDIN};
	size_t count = 0;
	int r = 0;

	assert_non_null(argument);
	memset(argument, 'x', argument_size);
	argument[argument_size - 1] = '\0';
	while (count < max && r == 0) {
		r = world_exec_options(w, &options, &asked[count]);
		count += r == 0;
	}
	free(argument);
	assert_int_equal(r, -EBUSY);
	return count;
}

static struct asked many[GUEST_REQUESTS_MAX];

static void queue_has_a_bound_and_loses_nothing(void **state)
{
	struct world *w = *state;
	size_t count;

	memset(many, 0, sizeof(many));
	count = fill(w, many, ARRAY_SIZE(many), 100000);
	assert_true(w->client->queued_bytes <= GUEST_CLIENT_QUEUE_MAX);
	assert_true(w->client->queued_bytes > GUEST_CLIENT_QUEUE_MAX - 110000);
	assert_non_null(strstr(w->err.text, "does not read"));
	assert_int_equal(guest_client_in_flight(w->client), count);

	/* Too much waits for anything but a cancel and an end. */
	assert_true(guest_request_credit(many[0].request) <= 4 * GUEST_CHUNK_MAX);
	assert_int_equal(
		guest_request_input(many[0].request, data, GUEST_INPUT_CREDIT, false), -EAGAIN);
	assert_int_equal(guest_request_cancel(many[0].request), 0);
	assert_int_equal(guest_request_input(many[0].request, NULL, 0, true), 0);

	for (size_t i = 0; i < count; i++) {
		world_expect(w, GUEST_EXEC, many[i].id, &packet);
		world_reply(w, many[i].id);
		assert_int_equal(world_process(w), 0);
		assert_int_equal(many[i].replies, 1);
	}
	assert_int_equal(guest_client_in_flight(w->client), 0);
	assert_int_equal(w->client->queued_bytes, 0);
}

static void full_queue_refuses_signals_but_no_cancel(void **state)
{
	struct world *w = *state;
	struct asked asked[3] = {0};
	size_t left;

	assert_int_equal(world_exec(w, GUEST_EXEC_STDIN, &asked[0]), 0);
	memset(many, 0, sizeof(many));
	fill(w, many, ARRAY_SIZE(many), 100000);
	do
		left = GUEST_CLIENT_QUEUE_MAX - w->client->queued_bytes;
	while (guest_request_signal(asked[0].request, 10) == 0);
	assert_true(left < guest_packet_cost(sizeof(struct guest_signal)));
	assert_int_equal(guest_request_signal(asked[0].request, 10), -EBUSY);
	assert_int_equal(guest_request_resize(asked[0].request, 24, 80), -EBUSY);
	assert_int_equal(guest_request_credit(asked[0].request), 0);
	assert_int_equal(guest_request_input(asked[0].request, "x", 1, false), -EAGAIN);
	assert_int_equal(guest_request_cancel(asked[0].request), 0);
	assert_int_equal(guest_request_input(asked[0].request, NULL, 0, true), 0);
}

/* Writers that found the queue full hear when it has room again, each once, the ended ones not. */
static void writers_are_told_when_there_is_room_again(void **state)
{
	struct world *w = *state;
	struct asked ended = {0}, writer = {0};
	size_t count;

	assert_int_equal(world_exec(w, GUEST_EXEC_STDIN, &writer), 0);
	assert_int_equal(world_exec(w, GUEST_EXEC_STDIN, &ended), 0);
	assert_int_equal(guest_request_input(ended.request, NULL, 0, true), 0);
	memset(many, 0, sizeof(many));
	count = fill(w, many, ARRAY_SIZE(many), 100000);
	while (w->client->queued_bytes > GUEST_CLIENT_QUEUE_MAX / 2) {
		assert_int_equal(writer.credits, 0);
		assert_true(world_read(w, &packet));
		assert_int_equal(world_process(w), 0);
	}
	assert_int_equal(writer.credits, 1);
	assert_int_equal(ended.credits, 0);
	assert_int_equal(many[count - 1].credits, 1);
	assert_int_equal(guest_request_credit(writer.request), GUEST_INPUT_CREDIT);
	assert_int_equal(world_process(w), 0);
	assert_int_equal(writer.credits, 1);
}

static void lose_all(struct asked *asked)
{
	if (asked->replies == 0)
		guest_client_lose(asked->world->client, 0, "enough");
}

static void writer_that_is_told_of_room_may_give_the_guest_up(void **state)
{
	struct world *w = *state;
	struct asked writer = {.react = lose_all};
	size_t count;

	assert_int_equal(world_exec(w, GUEST_EXEC_STDIN, &writer), 0);
	memset(many, 0, sizeof(many));
	count = fill(w, many, ARRAY_SIZE(many), 100000);
	while (writer.replies == 0) {
		assert_true(world_read(w, &packet));
		world_process(w);
	}
	world_assert_lost(w, EPIPE, "enough", &writer);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(many[i].credits, 0);
		assert_int_equal(many[i].replies, 1);
	}
}

static void as_many_requests_as_there_may_be_are_in_flight(void **state)
{
	struct world *w = *state;
	struct asked more = {0};

	memset(many, 0, sizeof(many));
	for (size_t i = 0; i < GUEST_REQUESTS_MAX; i++) {
		assert_int_equal(world_exec(w, 0, &many[i]), 0);
		if (guest_client_wants_write(w->client)) /* the guest reads along */
			while (world_read(w, &packet))
				assert_int_equal(world_process(w), 0);
	}
	while (world_read(w, &packet))
		assert_int_equal(world_process(w), 0);
	assert_int_equal(world_exec(w, 0, &more), -EBUSY);
	assert_non_null(strstr(w->err.text, "16384 requests"));

	for (size_t i = GUEST_REQUESTS_MAX; i-- > 0;) { /* the last one first */
		world_reply(w, many[i].id);
		assert_int_equal(world_process(w), 0);
		assert_int_equal(many[i].replies, 1);
	}
	assert_int_equal(world_exec(w, 0, &more), 0);
}

static void outputs_of_many_requests_interleave(void **state)
{
	struct world *w = *state;
	struct asked asked[10] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		assert_int_equal(world_exec(w, 0, &asked[i]), 0);
	for (int round = 0; round < 5; round++)
		for (size_t i = ARRAY_SIZE(asked); i-- > 0;) {
			char letter = (char)('a' + i);

			world_output(w, asked[i].id, GUEST_STDOUT, &letter, 1);
		}
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		world_reply(w, asked[(i * 7) % ARRAY_SIZE(asked)].id);
	assert_int_equal(world_process(w), 0);
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
		assert_int_equal(asked[i].outputs, 5);
		assert_int_equal(asked[i].output[0], 'a' + (int)i);
		assert_int_equal(asked[i].replies, 1);
	}
}

/* Of those that are in flight: any two. */
static void cancel_two(struct asked *asked)
{
	struct list *requests = &asked->world->client->requests;
	int left = 2;

	if (asked->replies == 0 || guest_client_is_lost(asked->world->client))
		return;
	list_for_each(at, requests)
	{
		if (left-- == 0)
			break;
		assert_int_equal(
			guest_request_cancel(list_entry(at, struct guest_request, list)), 0);
	}
}

static void reply_callback_may_cancel_others(void **state)
{
	struct world *w = *state;
	struct asked asked[3] = {{.react = cancel_two}};

	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		assert_int_equal(world_exec(w, 0, &asked[i]), 0);
	world_reply(w, asked[0].id);
	assert_int_equal(world_process(w), 0);
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		world_expect(w, GUEST_EXEC, asked[i].id, &packet);
	world_expect(w, GUEST_CANCEL, asked[1].id, &packet);
	world_expect(w, GUEST_CANCEL, asked[2].id, &packet);
}

/* A guest that answers what it has read, in no order. */
struct random_guest {
	uint32_t ids[GUEST_REQUESTS_MAX];
	bool is_file[GUEST_REQUESTS_MAX]; /* which stream it answers on */
	size_t count;
};

static void guest_reads(struct world *w, struct random_guest *guest)
{
	uint16_t type;

	if (!world_read(w, &packet))
		return;
	type = packet.header.type;
	if (type != GUEST_EXEC && type != GUEST_STAT)
		return;
	guest->is_file[guest->count] = type == GUEST_STAT;
	guest->ids[guest->count++] = packet.header.id;
}

static void guest_answers(struct world *w, struct random_guest *guest)
{
	size_t i;

	if (guest->count == 0)
		return;
	i = (size_t)rand() % guest->count;
	if (rand() % 3 == 0) {
		uint32_t stream = guest->is_file[i] ? GUEST_DATA : GUEST_STDOUT;

		world_output(w, guest->ids[i], stream, "out", 3);
		return;
	}
	world_reply(w, guest->ids[i]);
	guest->count--;
	guest->ids[i] = guest->ids[guest->count];
	guest->is_file[i] = guest->is_file[guest->count];
}

static void client_asks(struct world *w, struct asked *asked)
{
	int r = rand() % 2 ? world_exec(w, GUEST_EXEC_STDIN, asked)
			   : world_file(w, GUEST_STAT, asked);

	assert_int_equal(r, 0);
	asked->react = rand() % 20 ? NULL : cancel_two;
}

static void client_disturbs(struct asked *asked)
{
	if (!asked->request)
		return;
	if (rand() % 2)
		assert_int_equal(guest_request_cancel(asked->request), 0);
	else if (guest_request_credit(asked->request) > 0)
		assert_true(guest_request_input(asked->request, data, 100, rand() % 4 == 0) <= 0);
}

/* Until `most` have been asked and, unless the guest hangs up, all are replied. */
static void play(struct world *w, struct random_guest *guest, size_t most, bool hangs_up)
{
	size_t started = 0;

	while (started < most || (!hangs_up && guest_client_in_flight(w->client) > 0)) {
		switch (rand() % 6) {
		case 0:
		case 1:
			if (started < most)
				client_asks(w, &many[started++]);
			break;
		case 2:
			if (started > 0)
				client_disturbs(&many[(size_t)rand() % started]);
			break;
		case 3:
			guest_reads(w, guest);
			guest_reads(w, guest);
			break;
		case 4:
			guest_answers(w, guest);
			break;
		default:
			assert_int_equal(world_process(w), 0);
			break;
		}
	}
}

static void every_request_gets_one_reply_whatever_happens(void **state)
{
	static struct random_guest guest;

	for (unsigned seed = 1; seed <= 5; seed++) {
		size_t most = 3000;

		world_tear_down(state);
		world_set_up(state);
		srand(seed);
		memset(many, 0, sizeof(many));
		guest.count = 0;
		play(*state, &guest, most, false);
		for (size_t i = 0; i < most; i++)
			if (many[i].replies != 1 || many[i].reply.end != GUEST_END_DONE)
				fail_msg("seed %u: request %zu has %u replies", seed, i,
					many[i].replies);
	}
}

static void every_request_gets_one_reply_when_the_guest_hangs_up(void **state)
{
	static struct random_guest guest;

	for (unsigned seed = 1; seed <= 20; seed++) {
		size_t most = 100 + seed * 20;
		struct world *w;

		world_tear_down(state);
		world_set_up(state);
		w = *state;
		srand(seed);
		memset(many, 0, sizeof(many));
		guest.count = 0;
		play(w, &guest, most, true);
		fd_close(take_fd(&w->guest));
		while (world_process(w) == 0)
			;
		assert_int_equal(guest_client_in_flight(w->client), 0);
		for (size_t i = 0; i < most; i++)
			if (many[i].replies != 1)
				fail_msg("seed %u: request %zu has %u replies", seed, i,
					many[i].replies);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(credit_is_counted_down_and_granted_anew),
		WORLD_TEST(requests_without_input_have_no_credit),
		WORLD_TEST(input_arrives_in_order_up_to_its_end),
		WORLD_TEST(end_alone_arrives),
		WORLD_TEST(reply_drops_input_that_still_waits),
		WORLD_TEST(queue_has_a_bound_and_loses_nothing),
		WORLD_TEST(full_queue_refuses_signals_but_no_cancel),
		WORLD_TEST(writers_are_told_when_there_is_room_again),
		WORLD_TEST(writer_that_is_told_of_room_may_give_the_guest_up),
		WORLD_TEST(as_many_requests_as_there_may_be_are_in_flight),
		WORLD_TEST(outputs_of_many_requests_interleave),
		WORLD_TEST(reply_callback_may_cancel_others),
		WORLD_TEST(every_request_gets_one_reply_whatever_happens),
		WORLD_TEST(every_request_gets_one_reply_when_the_guest_hangs_up),
	};

	return cmocka_run_group_tests_name("guest_client_flow", tests, NULL, NULL);
}
