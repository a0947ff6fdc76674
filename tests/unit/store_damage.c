/* store.h: a file or log that was damaged or cut is told, or holds what is whole; it never ends the process. */
#include "tests/unit/store_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define RUNS 25

/* Some rows of each kind, enough for several pages of each. */
static void fill(struct world *w)
{
	char id[16];

	world_create_session(w, "s");
	for (int i = 0; i < 40; i++) {
		snprintf(id, sizeof(id), "r%d", i);
		store_run_begin(w->store,
			world_json(w, "{'id':'%s','session':'s','agent':'a'}", id),
			world_json(w, "[{'role':'user','content':'%0400d'}]", i), NULL, NULL);
		store_event_append(w->store, id,
			world_json(w, "[{'seq':1,'type':'x','data':{'x':'%0300d'}}]", i), NULL,
			NULL);
	}
	ASK(w, store_message_list, "s", 1, 0);
	world_expect(w, "{'total':40}");
}

/* Reads all there is; each answer is good or says that the file is damaged. */
static void read_all(struct world *w)
{
	static const int fine[] = {0, -EBADMSG, -ENOENT, -EIO, -EINVAL};
	bool is_fine = false;

	ASK(w, store_message_list, "s", 1, 0);
	ASK(w, store_session_update, "s", world_json(w, "{'title':'x'}"));
	ASK(w, store_event_list, "r3", 0);
	ASK(w, store_run_open_list);
	for (size_t i = 0; i < 5; i++)
		is_fine |= w->r == fine[i];
	assert_true(is_fine);
}

static void a_damaged_page_is_told_and_never_crashes(void **state)
{
	struct world *w = *state;
	unsigned refusals = 0;
	struct world_copy whole;

	world_open(w);
	fill(w);
	world_close(w);
	whole = world_copy_file(w, WORLD_FILE);
	srand(83);
	for (size_t page = 0; page < whole.size / 4096; page++) {
		struct world_copy damaged = {malloc(whole.size), whole.size};

		memcpy(damaged.data, whole.data, whole.size);
		for (int i = 0; i < 64; i++)
			damaged.data[page * 4096 + (page ? 0 : 100) + (size_t)(rand() % 3000)] =
				(char)rand();
		world_write_file(w, WORLD_FILE, damaged.data, damaged.size);
		free(damaged.data);
		unlinkat(w->dir_fd, WORLD_LOG, 0);
		if (world_try_open(w) == 0)
			read_all(w);
		else
			world_expect_error(w, -EBADMSG, "damaged");
		refusals += w->store == NULL;
		world_close(w);
	}
	assert_true(refusals > whole.size / 4096 / 3);
	free(whole.data);
}

static void a_file_that_was_cut_is_told(void **state)
{
	struct world *w = *state;
	struct world_copy whole;

	world_open(w);
	fill(w);
	world_close(w);
	whole = world_copy_file(w, WORLD_FILE);
	for (size_t size = 100; size < whole.size; size += 4096) {
		world_write_file(w, WORLD_FILE, whole.data, size);
		world_is_refused(w, -EBADMSG, "damaged");
	}
	free(whole.data);
}

static void a_row_whose_text_or_json_is_none_is_told(void **state)
{
	struct world *w = *state;

	world_open(w);
	fill(w);
	world_close(w);
	world_run_plainly(w, "UPDATE message SET message = '{' WHERE seq = 3");
	world_open(w);
	ASK(w, store_message_list, "s", 1, 0);
	world_expect_error(w, -EBADMSG, "a row is damaged");
	ASK(w, store_message_list, "s", 4, 1);
	world_expect(w, "{'messages':[{'seq':4}]}");
	world_close(w);
	world_run_plainly(w, "UPDATE message SET role = CAST(x'ff' AS TEXT) WHERE seq = 4");
	world_open(w);
	ASK(w, store_message_list, "s", 4, 1);
	world_expect_error(w, -EBADMSG, "a row is damaged");
}

/* How many messages there are; they are the first ones, whole, and can be gone on from. */
static int count_messages(struct world *w)
{
	json_t *message;
	size_t index;
	int count;

	ASK(w, store_message_list, "s", 1, 0);
	if (w->r == -ENOENT)
		return 0;
	assert_int_equal(w->r, 0);
	json_array_foreach(json_object_get(w->result, "messages"), index, message)
	{
		message = json_object_get(message, "message");
		assert_int_equal(json_integer_value(json_object_get(message, "content")), index);
	}
	count = (int)index;
	ASK(w, store_session_update, "s", world_json(w, "{'title':'T'}"));
	assert_int_equal(w->r, 0);
	return count;
}

/* As a power cut leaves it, which may lose what was not synced yet. */
static void a_log_that_was_cut_at_any_length_holds_what_is_whole(void **state)
{
	struct world *w = *state;
	struct world_copy file, log;
	int before = 0;

	world_open(w);
	world_create_session(w, "s");
	for (int i = 0; i < RUNS; i++)
		ASK(w, store_run_begin, world_json(w, "{'id':'r%d','session':'s','agent':'a'}", i),
			world_json(w, "[{'role':'user','content':%d}]", i));
	file = world_copy_file(w, WORLD_FILE);
	log = world_copy_file(w, WORLD_LOG);
	for (size_t size = 0;; size = size + 7919 < log.size ? size + 7919 : log.size) {
		int count;

		world_close(w);
		world_write_file(w, WORLD_FILE, file.data, file.size);
		world_write_file(w, WORLD_LOG, log.data, size);
		world_open(w);
		count = count_messages(w);
		assert_true(count >= before && count <= RUNS);
		before = count;
		if (size == log.size)
			break;
	}
	assert_int_equal(before, RUNS);
	free(file.data);
	free(log.data);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up_closed, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_damaged_page_is_told_and_never_crashes),
		T(a_file_that_was_cut_is_told),
		T(a_row_whose_text_or_json_is_none_is_told),
		T(a_log_that_was_cut_at_any_length_holds_what_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
