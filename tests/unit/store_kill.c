/* store.h: what was answered with 0 is there after the process was killed at any moment. */
#include "tests/unit/store_world.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS	  30
#define IN_FLIGHT 6
#define READ_MAX  40 /* answers that a round waits for before it kills */

struct writer {
	struct world w;
	int to;
	int next, answered;
};

static void ask_next(struct writer *writer);

/* Only now does anybody hear of it. */
static void on_answer(void *arg, int r, json_t *result, const struct error *err)
{
	struct writer *writer = arg;
	int number = writer->answered++;

	(void)result;
	(void)err;
	if (r < 0 || write(writer->to, &number, sizeof(number)) != sizeof(number))
		_exit(3);
	ask_next(writer);
}

static void ask_next(struct writer *writer)
{
	int number = writer->next++;
	struct world *w = &writer->w;

	if (store_run_begin(w->store,
		    world_json(w, "{'id':'r%d','session':'s','agent':'a'}", number),
		    world_json(w, "[{'role':'user','content':%d}]", number), on_answer, writer) < 0)
		_exit(4);
}

static void write_until_killed(int dir_fd, int first, int to)
{
	struct writer writer = {
		.w = {.dir_fd = dir_fd, .base = event_base_new(), .kept = json_array()},
		.to = to,
		.next = first,
		.answered = first,
	};

	if (world_try_open(&writer.w) < 0)
		_exit(5);
	for (int i = 0; i < IN_FLIGHT; i++)
		ask_next(&writer);
	event_base_dispatch(writer.w.base);
	_exit(6);
}

/* One life of a writer. Returns how many it was told of in all. */
static int live_and_die(struct world *w, int first)
{
	int told = first, wanted = 1 + rand() % READ_MAX, number, status, pipe_fds[2];
	pid_t child;

	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		write_until_killed(w->dir_fd, first, pipe_fds[1]);
	close(pipe_fds[1]);
	while (read(pipe_fds[0], &number, sizeof(number)) == sizeof(number)) {
		assert_int_equal(number, told++);
		if (told == first + wanted)
			kill(child, SIGKILL);
	}
	close(pipe_fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	return told;
}

static void what_was_answered_outlives_kill(void **state)
{
	struct world *w = *state;
	const char *seed = getenv("HEARTH_SEED");
	json_t *message;
	size_t index;
	char id[16];
	int first = 0;

	srand(seed ? (unsigned)atoi(seed) : 1);
	print_message("# HEARTH_SEED=%s\n", seed ? seed : "1");
	world_open(w);
	world_create_session(w, "s");
	for (int round = 0; round < ROUNDS; round++) {
		int told, kept;

		world_close(w);
		told = live_and_die(w, first);
		world_open(w);
		ASK(w, store_message_list, "s", 1, 0);
		kept = (int)json_integer_value(json_object_get(w->result, "total"));
		assert_true(kept >= told && kept <= told + IN_FLIGHT);
		assert_int_equal(json_array_size(json_object_get(w->result, "messages")), kept);
		json_array_foreach(json_object_get(w->result, "messages"), index, message)
		{
			message = json_object_get(message, "message");
			assert_int_equal(
				json_integer_value(json_object_get(message, "content")), index);
		}
		/* Whole transactions only: a message came with its run. */
		snprintf(id, sizeof(id), "r%d", kept - 1);
		ASK(w, store_run_get, id);
		world_expect(w, "{'id':'%s'}", id);
		snprintf(id, sizeof(id), "r%d", kept);
		ASK(w, store_run_get, id);
		world_expect_error(w, -ENOENT, "no run");
		first = kept;
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_set_up_closed, world_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_was_answered_outlives_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
