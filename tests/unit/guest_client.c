/* What a client asks of a guest, what it gets back, and how it ends. Hostile guests: guest_client_hostile.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "tests/unit/guest_client_world.h"

static struct read_packet packet;

static const char *next(const char **at)
{
	return guest_next_string(at, packet.bytes + packet.header.size);
}

static void exec_arrives_as_it_was_asked(void **state)
{
	static const char *const argv[] = {"sh", "-c", "", NULL};
	static const char *const env[] = {"A=1", "B=", NULL};
	const struct guest_exec_options options = {.argv = argv,
		.env = env,
		.cwd = "/work",
		.flags = GUEST_EXEC_PTY | GUEST_EXEC_ENV_ONLY,
		.timeout_ms = 1000,
		.rows = 50,
		.columns = 132,
		.output_max = 77};
	const struct guest_exec *m = (const void *)packet.bytes;
	const char *at = packet.bytes + sizeof(*m);
	struct world *w = *state;
	struct asked asked = {0};

	assert_int_equal(world_exec_options(w, &options, &asked), 0);
	world_expect(w, GUEST_EXEC, asked.id, &packet);
	assert_int_equal(m->flags, options.flags);
	assert_int_equal(m->argc, 3);
	assert_int_equal(m->envc, 2);
	assert_int_equal(m->timeout_ms, 1000);
	assert_int_equal(m->rows, 50);
	assert_int_equal(m->columns, 132);
	assert_int_equal(m->output_max, 77);
	assert_string_equal(next(&at), "sh");
	assert_string_equal(next(&at), "-c");
	assert_string_equal(next(&at), "");
	assert_string_equal(next(&at), "A=1");
	assert_string_equal(next(&at), "B=");
	assert_string_equal(next(&at), "/work");
	assert_null(next(&at));
}

static void file_request_arrives_as_it_was_asked(void **state)
{
	const struct guest_file_options options = {.type = GUEST_GREP,
		.flags = GUEST_FILE_ICASE,
		.timeout_ms = 1000,
		.offset = 2,
		.length = 30,
		.max_bytes = 4096,
		.path = "src",
		.pattern = "a|b",
		.include = "*.c"};
	const struct guest_file *m = (const void *)packet.bytes;
	const char *at = packet.bytes + sizeof(*m);
	struct world *w = *state;
	struct asked asked = {0};

	assert_int_equal(world_file_options(w, &options, &asked), 0);
	world_expect(w, GUEST_GREP, asked.id, &packet);
	assert_int_equal(m->flags, GUEST_FILE_ICASE);
	assert_int_equal(m->timeout_ms, 1000);
	assert_int_equal(m->offset, 2);
	assert_int_equal(m->length, 30);
	assert_int_equal(m->max_bytes, 4096);
	assert_string_equal(next(&at), "src");
	assert_string_equal(next(&at), "a|b");
	assert_string_equal(next(&at), "*.c");
	assert_null(next(&at));
}

static void output_comes_before_the_one_reply(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};

	assert_int_equal(world_exec(w, 0, &asked), 0);
	assert_int_equal(guest_client_in_flight(w->client), 1);
	world_output(w, asked.id, GUEST_STDOUT, "hello", 5);
	world_output(w, asked.id, GUEST_STDERR, "!", 1);
	world_reply(w, asked.id);
	assert_int_equal(world_process(w), 0);
	assert_int_equal(asked.outputs, 2);
	assert_int_equal(asked.streams, 1u << GUEST_STDOUT | 1u << GUEST_STDERR);
	assert_string_equal(asked.output, "hello");
	assert_int_equal(asked.replies, 1);
	assert_int_equal(asked.reply.exit_status, 3);
	assert_int_equal(guest_client_in_flight(w->client), 0);
}

static void every_file_request_is_replied(void **state)
{
	struct world *w = *state;

	for (uint16_t type = GUEST_READ; type <= GUEST_GREP; type++) {
		struct asked asked = {0};

		assert_int_equal(world_file(w, type, &asked), 0);
		world_expect(w, type, asked.id, &packet);
		if (type != GUEST_WRITE && type != GUEST_EDIT)
			world_output(w, asked.id, GUEST_DATA, "data", 4);
		world_reply(w, asked.id);
		assert_int_equal(world_process(w), 0);
		assert_int_equal(asked.replies, 1);
	}
}

static void callbacks_but_the_reply_may_be_missing(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};

	assert_int_equal(world_exec(w, GUEST_EXEC_STDIN, &asked), 0);
	asked.request->callbacks.on_output = NULL;
	asked.request->callbacks.on_credit = NULL;
	world_output(w, asked.id, GUEST_STDOUT, "x", 1);
	world_credit(w, asked.id, 1);
	world_reply(w, asked.id);
	assert_int_equal(world_process(w), 0);
	assert_int_equal(asked.replies, 1);
}

static void signal_resize_and_cancel_arrive_after_their_request(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};

	assert_int_equal(world_exec(w, GUEST_EXEC_PTY, &asked), 0);
	assert_int_equal(guest_request_signal(asked.request, 15), 0);
	assert_int_equal(guest_request_resize(asked.request, 50, 132), 0);
	assert_int_equal(guest_request_cancel(asked.request), 0);
	assert_int_equal(guest_request_cancel(asked.request), 0);
	world_expect(w, GUEST_EXEC, asked.id, &packet);
	world_expect(w, GUEST_SIGNAL, asked.id, &packet);
	assert_int_equal(((struct guest_signal *)(void *)packet.bytes)->signal, 15);
	world_expect(w, GUEST_RESIZE, asked.id, &packet);
	assert_int_equal(((struct guest_resize *)(void *)packet.bytes)->columns, 132);
	world_expect(w, GUEST_CANCEL, asked.id, &packet);
	assert_false(world_read(w, &packet)); /* cancelled once */
	assert_int_equal(asked.replies, 0);   /* the guest says how it ended */
}

static void what_the_protocol_does_not_allow_is_not_sent(void **state)
{
	static const char *const nothing[] = {NULL};
	static const char *const no_variable[] = {"A", NULL};
	struct guest_exec_options exec = {.argv = nothing};
	struct guest_file_options file = {.type = GUEST_EXEC, .path = "x"};
	struct world *w = *state;
	struct asked asked = {0};

	assert_int_equal(world_exec_options(w, &exec, &asked), -EINVAL);
	assert_non_null(strstr(w->err.text, "argc"));
	exec.argv = world_true;
	exec.env = no_variable;
	assert_int_equal(world_exec_options(w, &exec, &asked), -EINVAL);
	exec.env = NULL;
	exec.timeout_ms = GUEST_TIMEOUT_MAX + 1;
	assert_int_equal(world_exec_options(w, &exec, &asked), -EINVAL);
	assert_int_equal(world_file_options(w, &file, &asked), -EINVAL);
	file.type = GUEST_READ;
	file.max_bytes = GUEST_FILE_MAX + 1;
	assert_int_equal(world_file_options(w, &file, &asked), -EINVAL);
	assert_int_equal(w->err.code, EINVAL);

	assert_int_equal(world_exec(w, 0, &asked), 0);
	assert_int_equal(guest_request_signal(asked.request, 0), -EINVAL);
	assert_int_equal(guest_request_signal(asked.request, 65), -EINVAL);
	assert_int_equal(guest_request_resize(asked.request, 0, 80), -EINVAL);
	assert_int_equal(guest_request_input(asked.request, "x", 1, false), -EINVAL);
	world_expect(w, GUEST_EXEC, asked.id, &packet);
	assert_false(world_read(w, &packet));
	assert_int_equal(guest_client_in_flight(w->client), 1);
	assert_int_equal(world_process(w), 0);
}

static void signal_and_resize_are_for_commands(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};

	assert_int_equal(world_file(w, GUEST_READ, &asked), 0);
	assert_int_equal(guest_request_signal(asked.request, 15), -EINVAL);
	assert_int_equal(guest_request_resize(asked.request, 24, 80), -EINVAL);
	assert_int_equal(guest_request_cancel(asked.request), 0);
}

static void arguments_of_the_greatest_size_arrive(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};
	char *argument = malloc(GUEST_ARGUMENTS_MAX + 1);
	const char *const argv[] = {argument, NULL};
	struct guest_exec_options options = {.argv = argv};

	assert_non_null(argument);
	memset(argument, 'x', GUEST_ARGUMENTS_MAX);
	argument[GUEST_ARGUMENTS_MAX - 2] = '\0'; /* its terminator, and that of an empty cwd */
	assert_int_equal(world_exec_options(w, &options, &asked), 0);
	world_expect(w, GUEST_EXEC, asked.id, &packet);
	assert_int_equal(packet.header.size, sizeof(struct guest_exec) + GUEST_ARGUMENTS_MAX);

	argument[GUEST_ARGUMENTS_MAX - 2] = 'x';
	argument[GUEST_ARGUMENTS_MAX - 1] = '\0';
	assert_int_equal(world_exec_options(w, &options, &asked), -E2BIG);
	assert_int_equal(w->err.code, E2BIG);
	free(argument);
}

static void id_is_not_used_again_while_in_flight(void **state)
{
	struct world *w = *state;
	struct asked first = {0}, last = {0}, next_one = {0};

	assert_int_equal(world_exec(w, 0, &first), 0);
	assert_int_equal(first.id, 1);
	w->client->table.last_id = UINT32_MAX - 1;
	assert_int_equal(world_exec(w, 0, &last), 0);
	assert_int_equal(last.id, UINT32_MAX);
	assert_int_equal(world_exec(w, 0, &next_one), 0);
	assert_int_equal(next_one.id, 2); /* neither 0 nor 1 */
	world_reply(w, first.id);
	assert_int_equal(world_process(w), 0);
	assert_int_equal(first.replies, 1);
	assert_int_equal(next_one.replies, 0);
}

static void end_of_the_guest_loses_all_after_its_last_words(void **state)
{
	struct world *w = *state;
	struct asked asked[3] = {0};

	for (int i = 0; i < 3; i++)
		assert_int_equal(world_exec(w, 0, &asked[i]), 0);
	world_reply(w, asked[1].id);
	fd_close(take_fd(&w->guest)); /* with our requests unread */
	world_assert_lost(w, EPIPE, "the sandbox has ended", &asked[0]);
	assert_int_equal(asked[1].reply.end, GUEST_END_DONE);
	assert_int_equal(asked[2].reply.end, GUEST_END_LOST);
	assert_int_equal(asked[2].reply.limits_hit, 0);
}

static void guest_that_has_gone_is_asked_nothing(void **state)
{
	struct world *w = *state;
	struct asked before = {0}, after = {0};

	assert_int_equal(world_exec(w, GUEST_EXEC_STDIN, &before), 0);
	fd_close(take_fd(&w->guest));
	assert_int_equal(world_exec(w, 0, &after), -EPIPE);
	assert_int_equal(w->err.code, EPIPE);
	assert_int_equal(world_exec(w, 0, &after), -EPIPE);
	assert_int_equal(guest_request_input(before.request, "x", 1, false), -EPIPE);
	assert_int_equal(guest_request_signal(before.request, 15), -EPIPE);
	assert_int_equal(guest_request_cancel(before.request), -EPIPE);
	assert_int_equal(after.replies, 0);
	world_assert_lost(w, EPIPE, "the sandbox has ended", &before);
}

static void losing_says_which_limit_ended_the_sandbox(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};

	assert_int_equal(world_exec(w, 0, &asked), 0);
	guest_client_lose(w->client, 5, "memory limit");
	guest_client_lose(w->client, 0, "another reason");
	assert_int_equal(asked.reply.limits_hit, 5);
	assert_string_equal(asked.reply.text, "memory limit");
	world_assert_lost(w, EPIPE, "memory limit", &asked);
}

static void long_reason_is_cut(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};
	char why[400];

	memset(why, 'y', sizeof(why));
	why[sizeof(why) - 1] = '\0';
	assert_int_equal(world_exec(w, 0, &asked), 0);
	guest_client_lose(w->client, 0, why);
	assert_int_equal(strlen(asked.reply.text), GUEST_TEXT_MAX - 1);
}

static void destroying_loses_what_is_in_flight(void **state)
{
	struct world *w = *state;
	struct asked asked = {0};

	assert_int_equal(world_exec(w, 0, &asked), 0);
	guest_client_destroy(w->client);
	w->client = NULL;
	assert_int_equal(asked.replies, 1);
	assert_int_equal(asked.reply.end, GUEST_END_LOST);
	guest_client_destroy(NULL);
}

static struct asked other;

static void start_another(struct asked *asked)
{
	if (asked->replies == 0 || other.world)
		return;
	assert_int_equal(world_exec(asked->world, 0, &other), 0);
}

static void reply_callback_may_start_another(void **state)
{
	struct world *w = *state;
	struct asked asked = {.react = start_another};

	other = (struct asked){0};
	assert_int_equal(world_exec(w, 0, &asked), 0);
	world_reply(w, asked.id);
	assert_int_equal(world_process(w), 0);
	world_expect(w, GUEST_EXEC, asked.id, &packet);
	world_expect(w, GUEST_EXEC, other.id, &packet);
	world_reply(w, other.id);
	assert_int_equal(world_process(w), 0);
	assert_int_equal(other.replies, 1);
}

static void lose_all(struct asked *asked)
{
	guest_client_lose(asked->world->client, 2, "given up from within");
	if (other.request) /* not yet replied: it can be cancelled, to no effect */
		assert_int_equal(guest_request_cancel(other.request), -EPIPE);
}

static void every_callback_may_give_the_guest_up(void **state)
{
	for (int i = 0; i < 3; i++) {
		struct asked asked = {.react = lose_all};
		struct world *w;

		world_tear_down(state);
		world_set_up(state);
		w = *state;
		other = (struct asked){0};
		assert_int_equal(world_exec(w, GUEST_EXEC_STDIN, &asked), 0);
		assert_int_equal(world_exec(w, GUEST_EXEC_STDIN, &other), 0);
		if (i == 0)
			world_output(w, asked.id, GUEST_STDOUT, "x", 1);
		else if (i == 1)
			world_credit(w, asked.id, 1);
		else
			world_reply(w, asked.id);
		world_output(w, other.id, GUEST_STDOUT, "x", 1); /* comes too late */
		world_assert_lost(w, EPIPE, "given up from within", &other);
		assert_int_equal(asked.replies, 1);
		assert_int_equal(other.outputs, 0);
		assert_int_equal(other.reply.limits_hit, 2);
	}
}

static void try_to_start_another(struct asked *asked)
{
	struct asked more = {0};

	if (asked->replies == 1)
		assert_int_equal(world_exec(asked->world, 0, &more), -EPIPE);
}

static void nothing_can_be_started_while_all_is_lost(void **state)
{
	struct world *w = *state;
	struct asked asked[2] = {{.react = try_to_start_another}, {.react = try_to_start_another}};

	for (int i = 0; i < 2; i++)
		assert_int_equal(world_exec(w, 0, &asked[i]), 0);
	fd_close(take_fd(&w->guest));
	world_assert_lost(w, EPIPE, "the sandbox has ended", &asked[0]);
	assert_int_equal(asked[1].replies, 1);
}

static void channel_is_made_non_blocking_and_stays_close_on_exec(void **state)
{
	struct world *w = *state;
	int fd = guest_client_fd(w->client);

	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

static void no_channel_is_refused(void **state)
{
	struct guest_client *client = NULL;
	struct error err;

	(void)state;
	assert_int_equal(guest_client_create(-1, &client, &err), -EBADF);
	assert_null(client);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		WORLD_TEST(exec_arrives_as_it_was_asked),
		WORLD_TEST(file_request_arrives_as_it_was_asked),
		WORLD_TEST(output_comes_before_the_one_reply),
		WORLD_TEST(every_file_request_is_replied),
		WORLD_TEST(callbacks_but_the_reply_may_be_missing),
		WORLD_TEST(signal_resize_and_cancel_arrive_after_their_request),
		WORLD_TEST(what_the_protocol_does_not_allow_is_not_sent),
		WORLD_TEST(signal_and_resize_are_for_commands),
		WORLD_TEST(arguments_of_the_greatest_size_arrive),
		WORLD_TEST(id_is_not_used_again_while_in_flight),
		WORLD_TEST(end_of_the_guest_loses_all_after_its_last_words),
		WORLD_TEST(guest_that_has_gone_is_asked_nothing),
		WORLD_TEST(losing_says_which_limit_ended_the_sandbox),
		WORLD_TEST(long_reason_is_cut),
		WORLD_TEST(destroying_loses_what_is_in_flight),
		WORLD_TEST(reply_callback_may_start_another),
		WORLD_TEST(every_callback_may_give_the_guest_up),
		WORLD_TEST(nothing_can_be_started_while_all_is_lost),
		WORLD_TEST(channel_is_made_non_blocking_and_stays_close_on_exec),
		WORLD_TEST(no_channel_is_refused),
	};

	return cmocka_run_group_tests_name("guest_client", tests, NULL, NULL);
}
