/* Out of memory at each allocation of both clients: an error, nothing half done, all goes on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "proto/channel.h"
#include "proto/control_client.h"
#include "tests/unit/guest_client_world.h"

static int fails_at = -1; /* allocations to go until the one that fails; -1: none */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

/* By the linker (--wrap): both clients allocate with calloc() alone. */
void *__wrap_calloc(size_t count, size_t size)
{
	return fails_at-- == 0 ? NULL : __real_calloc(count, size);
}

static struct read_packet packet;
static char data[3 * GUEST_CHUNK_MAX];

static void client_is_not_made(void **state)
{
	struct guest_client *guest = NULL;
	struct control_client *control = NULL;
	struct error err;
	int ends[2];

	(void)state;
	assert_int_equal(channel_pair(ends, NULL), 0);
	fails_at = 0;
	assert_int_equal(guest_client_create(ends[0], &guest, &err), -ENOMEM);
	assert_int_equal(err.code, ENOMEM);
	fails_at = 0;
	assert_int_equal(control_client_adopt(ends[0], &control, &err), -ENOMEM);
	assert_int_equal(err.code, ENOMEM);
	assert_null(guest);
	assert_null(control);
	fd_close(ends[0]); /* still ours */
	fd_close(ends[1]);
}

/* Allocations of the first request: its packet, itself, the table. Of a later one: no table. */
static void request_is_not_started(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};

	for (int i = 0; i < 3; i++) {
		fails_at = i;
		assert_int_equal(world_exec(w, 0, &asked), -ENOMEM);
		assert_int_equal(w->err.code, ENOMEM);
		assert_int_equal(guest_client_in_flight(w->client), 0);
		assert_false(world_read(w, &packet));
	}
	fails_at = 3;
	assert_int_equal(world_exec(w, 0, &asked), 0);
	assert_int_equal(fails_at, 0); /* it did make three */
	fails_at = -1;
	world_reply(w, asked.id);
	assert_int_equal(world_process(w), 0);
	assert_int_equal(asked.replies, 1);
}

static void table_that_cannot_grow_keeps_what_it_has(void **state)
{
	struct world *w = *state;
	struct asked asked[17] = {0};

	for (int i = 0; i < 16; i++)
		assert_int_equal(world_exec(w, 0, &asked[i]), 0);
	fails_at = 2;
	assert_int_equal(world_exec(w, 0, &asked[16]), -ENOMEM);
	assert_int_equal(world_exec(w, 0, &asked[16]), 0);
	for (int i = 0; i < 17; i++)
		world_reply(w, asked[i].id);
	assert_int_equal(world_process(w), 0);
	for (int i = 0; i < 17; i++)
		assert_int_equal(asked[i].replies, 1);
}

static void input_is_sent_whole_or_not_at_all(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};

	assert_int_equal(world_exec(w, GUEST_EXEC_STDIN, &asked), 0);
	world_expect(w, GUEST_EXEC, asked.id, &packet);
	for (int i = 0; i < 3; i++) {
		fails_at = i;
		assert_int_equal(
			guest_request_input(asked.request, data, sizeof(data), true), -ENOMEM);
		assert_false(world_read(w, &packet));
		assert_int_equal(guest_request_credit(asked.request), GUEST_INPUT_CREDIT);
		assert_int_equal(w->client->queued_bytes, 0);
	}
	fails_at = -1;
	assert_int_equal(guest_request_input(asked.request, data, sizeof(data), true), 0);
	for (int i = 0; i < 3; i++)
		world_expect(w, GUEST_INPUT, asked.id, &packet);
}

static void cancel_that_failed_can_be_tried_again(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};

	assert_int_equal(world_exec(w, GUEST_EXEC_PTY, &asked), 0);
	world_expect(w, GUEST_EXEC, asked.id, &packet);
	fails_at = 0;
	assert_int_equal(guest_request_signal(asked.request, 15), -ENOMEM);
	fails_at = 0;
	assert_int_equal(guest_request_resize(asked.request, 24, 80), -ENOMEM);
	fails_at = 0;
	assert_int_equal(guest_request_cancel(asked.request), -ENOMEM);
	assert_false(world_read(w, &packet));
	assert_int_equal(guest_request_cancel(asked.request), 0);
	world_expect(w, GUEST_CANCEL, asked.id, &packet);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(client_is_not_made),
		WORLD_TEST(request_is_not_started),
		WORLD_TEST(table_that_cannot_grow_keeps_what_it_has),
		WORLD_TEST(input_is_sent_whole_or_not_at_all),
		WORLD_TEST(cancel_that_failed_can_be_tried_again),
	};

	return cmocka_run_group_tests_name("client_memory", tests, NULL, NULL);
}
