/*
 * tool.h against a guest that this test plays, at the other end of a channel: what a tool asks for,
 * and what becomes of answers that a hostile guest makes up. Tools with a real guest: agentd_tools.py.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>

#include "agentd/tool/tool.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "proto/channel.h"

struct fixture {
	struct guest_client *client;
	int guest; /* the other end */
	json_t *arguments;
	struct tool_run *run;
	/* the request that the guest has received last */
	_Alignas(uint64_t) char packet[GUEST_PACKET_MAX];
	size_t packet_size;
	/* the end */
	int done;
	bool is_error;
	uint32_t end;
	char text[400000];
	size_t streamed;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int pair[2];

	assert_non_null(f);
	assert_int_equal(channel_pair(pair, NULL), 0);
	assert_int_equal(guest_client_create(pair[0], &f->client, NULL), 0);
	f->guest = pair[1];
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	guest_client_destroy(f->client);
	fd_close(f->guest);
	json_decref(f->arguments);
	free(f);
	return 0;
}

static void on_output(void *arg, enum guest_stream stream, const void *data, uint32_t size)
{
	struct fixture *f = arg;

	(void)stream;
	(void)data;
	f->streamed += size;
}

static void on_done(void *arg, const struct tool_result *result)
{
	struct fixture *f = arg;
	size_t length = evbuffer_get_length(result->text);

	assert_true(length < sizeof(f->text));
	evbuffer_copyout(result->text, f->text, length);
	f->text[length] = '\0';
	f->is_error = result->is_error;
	f->end = result->reply->end;
	f->done++;
}

static int try_start(struct fixture *f, const struct tool *tool, const char *arguments,
	const char *cwd, struct error *err)
{
	const struct tool_callbacks callbacks = {
		.on_output = on_output, .on_done = on_done, .arg = f};
	struct tool_request request = {.tool = tool,
		.guest = f->client,
		.cwd = cwd,
		.limits = {.memory_bytes = 1u << 30,
			.disk_bytes = 512u << 20,
			.disk_inodes = 100,
			.pids = 512}};

	json_decref(f->arguments);
	f->arguments = json_loads(arguments, 0, NULL);
	assert_non_null(f->arguments);
	request.arguments = f->arguments;
	f->done = 0;
	return tool_start(&request, &callbacks, &f->run, err);
}

static const struct guest_file *receive(struct fixture *f)
{
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t count;
	ssize_t n = channel_receive(f->guest, f->packet, sizeof(f->packet), fds, &count);

	assert_true(n > 0);
	f->packet_size = (size_t)n;
	assert_int_equal(check_message(&guest_protocol, MESSAGE_TO_SERVER, f->packet, (size_t)n,
				 count, &rule, NULL),
		0);
	return (const void *)f->packet;
}

/* Start it; what the guest gets. */
static const struct guest_file *start(
	struct fixture *f, const struct tool *tool, const char *arguments)
{
	struct error err;

	if (try_start(f, tool, arguments, NULL, &err) < 0)
		fail_msg("%s", err.text);
	return receive(f);
}

static const char *path_of(const struct fixture *f)
{
	return f->packet + sizeof(struct guest_file);
}

static void process(struct fixture *f)
{
	guest_client_process(f->client, NULL);
}

static void send_output(
	struct fixture *f, uint32_t id, enum guest_stream stream, const void *data, size_t size)
{
	struct guest_output m = {.stream = stream};

	while (size > 0) {
		size_t piece = size < GUEST_CHUNK_MAX ? size : GUEST_CHUNK_MAX;

		guest_header(&m.header, GUEST_OUTPUT, (uint32_t)(sizeof(m) + piece), id);
		assert_int_equal(channel_send(f->guest, &m, sizeof(m), data, piece, NULL, 0), 0);
		process(f);
		data = (const char *)data + piece;
		size -= piece;
	}
}

static void send_reply(struct fixture *f, uint32_t id, struct guest_reply reply)
{
	guest_header(&reply.header, GUEST_REPLY, sizeof(reply), id);
	if (reply.end == 0)
		reply.end = GUEST_END_DONE;
	assert_int_equal(channel_send(f->guest, &reply, sizeof(reply), NULL, 0, NULL, 0), 0);
	process(f);
}

/* One data answer and the end. */
static void answer(struct fixture *f, const void *data, size_t size, struct guest_reply reply)
{
	uint32_t id = ((const struct message_header *)(const void *)f->packet)->id;

	send_output(f, id, GUEST_DATA, data, size);
	send_reply(f, id, reply);
}

static void says(const struct fixture *f, bool is_error, const char *text)
{
	assert_int_equal(f->done, 1);
	assert_string_equal(f->text, text);
	assert_int_equal(f->is_error, is_error);
}

static void read_asks_for_lines_within_its_limits(void **state)
{
	struct fixture *f = *state;
	const struct guest_file *m = start(f, &tool_read, "{\"path\":\"/a\"}");

	assert_int_equal(m->header.type, GUEST_READ);
	assert_int_equal(m->flags, GUEST_FILE_LINES);
	assert_int_equal(m->offset, 1);
	assert_int_equal(m->length, TOOL_READ_LINES);
	assert_int_equal(m->max_bytes, TOOL_DATA_MAX);
	assert_string_equal(path_of(f), "/a");
	answer(f, "x\ny", 3, (struct guest_reply){.count = 2, .total = 9});
	says(f, false, "1\tx\n2\ty\n(7 more lines; continue with offset 3)\n");
}

static void what_was_not_looked_at_is_told(void **state)
{
	static const char left_out[] =
		"(not searched: 2 of 9 names in x\\ny; name a smaller folder as path, or use find "
		"with bash)\n";
	struct guest_reply reply = {.text = "2 of 9 names in x\ny"};
	struct fixture *f = *state;
	char text[256];

	start(f, &tool_glob, "{\"pattern\":\"a\"}");
	answer(f, "", 0, reply);
	snprintf(text, sizeof(text), "No files match a\n%s", left_out);
	says(f, false, text);
	start(f, &tool_glob, "{\"pattern\":\"a\"}");
	answer(f, "b", 2, reply);
	snprintf(text, sizeof(text), "b\n%s", left_out);
	says(f, false, text);
	start(f, &tool_grep, "{\"pattern\":\"a\"}");
	answer(f, "", 0, reply);
	snprintf(text, sizeof(text), "No matches for a\n%s", left_out);
	says(f, false, text);
	start(f, &tool_read, "{\"path\":\"/a\"}");
	answer(f, "x\n", 2, (struct guest_reply){.count = 1, .total = 9, .text = "lines"});
	says(f, false, "1\tx\n(at least 8 more lines; continue with offset 2)\n");
}

static void relative_paths_start_at_the_cwd_of_the_call(void **state)
{
	struct fixture *f = *state;
	struct error err;

	assert_int_equal(try_start(f, &tool_read, "{\"path\":\"a/b\"}", "/home", &err), 0);
	receive(f);
	assert_string_equal(path_of(f), "/home/a/b");
	assert_int_equal(try_start(f, &tool_ls, "{}", "/home", &err), 0);
	receive(f);
	assert_string_equal(path_of(f), "/home");
	assert_int_equal(try_start(f, &tool_ls, "{}", NULL, &err), 0);
	receive(f);
	assert_string_equal(path_of(f), ".");
}

static void a_path_that_is_too_long_is_not_sent(void **state)
{
	struct fixture *f = *state;
	static const char *const arguments[] = {
		"{\"path\":\"x\"}",
		"{\"path\":\"x\",\"content\":\"\"}",
		"{\"path\":\"x\",\"old_text\":\"a\",\"new_text\":\"\"}",
		NULL, /* bash has no path */
		"{\"path\":\"x\",\"pattern\":\"a\"}",
		"{\"path\":\"x\",\"pattern\":\"a\"}",
		"{\"path\":\"x\"}",
	};
	char cwd[TOOL_PATH_MAX];
	struct error err;

	memset(cwd, 'd', sizeof(cwd) - 1);
	cwd[0] = '/';
	cwd[sizeof(cwd) - 1] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
		if (!arguments[i])
			continue;
		assert_int_equal(
			try_start(f, tool_table[i], arguments[i], cwd, &err), -ENAMETOOLONG);
		assert_int_equal(guest_client_in_flight(f->client), 0);
	}
}

static void read_asks_the_size_of_what_is_no_text(void **state)
{
	struct fixture *f = *state;
	struct guest_stat st = {.size = 4711};
	const struct guest_file *m;

	start(f, &tool_read, "{\"path\":\"/a\"}");
	answer(f, "\xff\xd8\xff\xe0", 4, (struct guest_reply){.count = 1, .total = 1});
	assert_int_equal(f->done, 0);
	m = receive(f);
	assert_int_equal(m->header.type, GUEST_STAT);
	assert_int_equal(m->flags, GUEST_FILE_FOLLOW);
	answer(f, &st, sizeof(st), (struct guest_reply){.count = 1});
	says(f, false, "/a: JPEG image, 4711 bytes, not shown as text\n");
}

static void a_stat_that_is_cut_is_an_error(void **state)
{
	struct fixture *f = *state;

	start(f, &tool_read, "{\"path\":\"/a\"}");
	answer(f, "\0", 1, (struct guest_reply){.count = 1, .total = 1});
	receive(f);
	answer(f, "xxx", 3, (struct guest_reply){.count = 1});
	assert_true(f->is_error);
	assert_int_equal(strncmp(f->text, "Error: ", 7), 0);
}

static void content_waits_for_credit(void **state)
{
	struct fixture *f = *state;
	size_t size = GUEST_INPUT_CREDIT + 100000;
	char *content = malloc(size + 64);
	size_t got = 0;
	uint32_t id;
	int n = snprintf(content, 64, "{\"path\":\"/a\",\"content\":\"");

	memset(content + n, 'x', size);
	strcpy(content + n + size, "\"}");
	id = start(f, &tool_write, content)->header.id;
	free(content);
	while (got < GUEST_INPUT_CREDIT) {
		const struct guest_input *m = (const void *)receive(f);

		assert_int_equal(m->header.type, GUEST_INPUT);
		assert_int_equal(m->is_end, 0);
		got += m->header.size - sizeof(*m);
		process(f);
	}
	assert_int_equal(got, GUEST_INPUT_CREDIT);
	for (bool is_end = false; !is_end;) {
		struct guest_credit credit = {.bytes = 40000};
		const struct guest_input *m;
		size_t piece = 0;

		guest_header(&credit.header, GUEST_CREDIT, sizeof(credit), id);
		assert_int_equal(
			channel_send(f->guest, &credit, sizeof(credit), NULL, 0, NULL, 0), 0);
		process(f);
		while (piece < 40000 && !is_end) {
			m = (const void *)receive(f);
			piece += m->header.size - sizeof(*m);
			is_end = m->is_end;
		}
		got += piece;
	}
	assert_int_equal(got, size);
	send_reply(f, id, (struct guest_reply){.count = size});
	says(f, false, "Wrote 362144 bytes to /a\n");
}

static void edit_sends_old_and_new_with_a_nul_between(void **state)
{
	struct fixture *f = *state;
	const struct guest_input *input;
	uint32_t id = start(f, &tool_edit,
		"{\"path\":\"/a\",\"old_text\":\"$1\",\"new_text\":\"$&\",\"replace_all\":true}")
			      ->header.id;

	assert_int_equal(
		((const struct guest_file *)(const void *)f->packet)->flags, GUEST_FILE_ALL);
	input = (const void *)receive(f);
	assert_int_equal(input->header.size - sizeof(*input), 5);
	assert_memory_equal(input + 1, "$1\0$&", 5);
	assert_int_equal(input->is_end, 1);
	send_reply(f, id,
		(struct guest_reply){.end = GUEST_END_FAILED,
			.error = EEXIST,
			.total = 3,
			.text = "found 3 times"});
	assert_non_null(strstr(f->text, "3 times"));
}

static void bash_runs_bash_or_looks_for_it(void **state)
{
	struct fixture *f = *state;
	const char *argv[6];

	tool_shell_argv(true, "a b", argv);
	assert_string_equal(argv[0], "bash");
	assert_string_equal(argv[2], "a b");
	assert_null(argv[3]);
	tool_shell_argv(false, "a b", argv);
	assert_string_equal(argv[0], "sh");
	assert_string_equal(argv[4], "a b");
	assert_null(argv[5]);

	start(f, &tool_bash, "{\"command\":\"true\"}");
	assert_int_equal(((const struct guest_exec *)(const void *)f->packet)->timeout_ms,
		TOOL_BASH_TIMEOUT_MS);
}

static void bash_streams_what_it_gathers(void **state)
{
	struct fixture *f = *state;
	uint32_t id = start(f, &tool_bash, "{\"command\":\"x\"}")->header.id;

	send_output(f, id, GUEST_STDOUT, "out", 3);
	send_output(f, id, GUEST_STDERR, "err\n", 4);
	assert_int_equal(f->streamed, 7);
	send_reply(f, id, (struct guest_reply){.exit_status = 9});
	says(f, false, "exit code: 9\nstdout:\nout\nstderr:\nerr\n");
}

static void a_cancel_reaches_the_guest_once(void **state)
{
	struct fixture *f = *state;
	uint32_t id = start(f, &tool_bash, "{\"command\":\"x\"}")->header.id;

	tool_cancel(f->run);
	tool_cancel(f->run);
	assert_int_equal(receive(f)->header.type, GUEST_CANCEL);
	send_reply(f, id, (struct guest_reply){.end = GUEST_END_CANCELLED, .exit_status = 137});
	assert_true(f->is_error);
	assert_non_null(strstr(f->text, "Error: cancelled"));
}

static void failures_say_what_to_do(void **state)
{
	static const struct {
		int error;
		const char *advice;
	} cases[] = {{ENOENT, "ls or glob"}, {EISDIR, "use ls"}, {ENOSPC, "delete something"},
		{EFBIG, "use bash"}, {ENOMEM, "less at a time"}, {4095, "another way"}};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t tool = 0; tool < tool_count; tool++) {
			static const char all[] =
				"{\"path\":\"/a\",\"pattern\":\"x\",\"command\":\"x\","
				"\"content\":\"\",\"old_text\":\"a\",\"new_text\":\"b\","
				"\"url\":\"http://a\"}";
			bool is_edit = tool_table[tool] == &tool_edit;
			uint32_t id;

			if (tool_table[tool]->place != TOOL_IN_SANDBOX)
				continue;
			id = start(f, tool_table[tool], all)->header.id;
			if (is_edit || tool_table[tool] == &tool_write)
				receive(f); /* its INPUT */
			send_reply(f, id,
				(struct guest_reply){.end = GUEST_END_FAILED,
					.error = (uint32_t)cases[i].error});
			assert_true(f->is_error);
			assert_int_equal(strncmp(f->text, "Error: ", 7), 0);
			if (!is_edit || cases[i].error != ENOENT)
				assert_non_null(strstr(f->text, cases[i].advice));
		}
}

static void grep_and_glob_advise_on_their_patterns(void **state)
{
	static const struct tool *const tools[] = {&tool_grep, &tool_glob, &tool_read};
	static const char *const advice[] = {
		"mend the pattern", "mend the pattern", "only regular"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
		const char *arguments = i < 2 ? "{\"pattern\":\"(\"}" : "{\"path\":\"/a\"}";
		uint32_t id = start(f, tools[i], arguments)->header.id;

		send_reply(f, id, (struct guest_reply){.end = GUEST_END_FAILED, .error = EINVAL});
		assert_true(f->is_error);
		assert_non_null(strstr(f->text, advice[i]));
	}
}

static void limits_that_were_hit_are_named(void **state)
{
	struct fixture *f = *state;
	uint32_t id = start(f, &tool_bash, "{\"command\":\"x\"}")->header.id;

	send_reply(f, id,
		(struct guest_reply){.exit_status = 137,
			.signal = 9,
			.limits_hit = LIMIT_HIT_MEMORY | LIMIT_HIT_PIDS});
	says(f, false,
		"exit code: 137\nkilled by signal 9\n"
		"hit a limit: out of memory, limit 1 GiB; too many processes, limit 512\n");
	id = start(f, &tool_bash, "{\"command\":\"x\",\"timeout\":1500}")->header.id;
	send_reply(f, id,
		(struct guest_reply){.end = GUEST_END_TIMEOUT,
			.exit_status = 124,
			.limits_hit = LIMIT_HIT_TIME | LIMIT_HIT_OUTPUT});
	says(f, true,
		"Error: time limit of 1500 ms, everything it started was killed: set a longer "
		"timeout, or background\nexit code: 124\n"
		"hit a limit: output cut at 268435456 bytes\n");
	start(f, &tool_write, "{\"path\":\"/x\",\"content\":\"\"}");
	answer(f, "", 0,
		(struct guest_reply){.end = GUEST_END_FAILED,
			.error = ENOSPC,
			.limits_hit = LIMIT_HIT_DISK,
			.text = "write /x"});
	says(f, true,
		"Error: write /x (ENOSPC): disk full, limit 512 MiB and 100 files: "
		"delete something first\n");
}

static void a_lost_guest_leaves_no_text(void **state)
{
	struct fixture *f = *state;

	start(f, &tool_bash, "{\"command\":\"x\"}");
	guest_client_lose(f->client, 0, "gone");
	assert_int_equal(f->done, 1);
	assert_int_equal(f->end, GUEST_END_LOST);
	assert_string_equal(f->text, "");
}

static void a_guest_that_has_gone_gets_nothing(void **state)
{
	struct fixture *f = *state;
	struct error err;

	guest_client_lose(f->client, 0, "gone");
	assert_int_equal(try_start(f, &tool_ls, "{}", NULL, &err), -EPIPE);
	assert_int_equal(f->done, 0);
}

static void a_guest_that_goes_between_two_requests_is_an_error(void **state)
{
	struct fixture *f = *state;

	start(f, &tool_read, "{\"path\":\"/a\"}");
	answer(f, "\0", 1, (struct guest_reply){.count = 1, .total = 1});
	guest_client_lose(f->client, 0, "gone");
	assert_int_equal(f->done, 1);
	assert_int_equal(f->end, GUEST_END_LOST);
}

static void lies_about_counts_do_no_harm(void **state)
{
	static const char *const names[] = {"read", "glob", "grep", "ls"};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		start(f, tool_find(names[i]), "{\"path\":\"/a\",\"pattern\":\"x\"}");
		answer(f, "", 0, (struct guest_reply){.count = UINT64_MAX, .total = UINT64_MAX});
		assert_int_equal(f->done, 1);
	}
}

static void records_of_rubbish_do_no_harm(void **state)
{
	static const char *const names[] = {"read", "glob", "grep", "ls"};
	struct fixture *f = *state;
	unsigned seed = 7;
	char rubbish[300];

	for (int round = 0; round < 4000; round++) {
		size_t size = 1 + seed % sizeof(rubbish);

		for (size_t i = 0; i < size; i++) {
			seed = seed * 1103515245u + 12345u;
			rubbish[i] = (char)(seed >> 20 & 1 ? seed >> 16 : 0);
		}
		rubbish[0] = 'x'; /* READ: text, so that no STAT follows */
		start(f, tool_find(names[round % 4]),
			"{\"path\":\"/a\",\"pattern\":\"x\",\"context\":1}");
		if (round % 4 == 0)
			memset(rubbish, '\n', size / 2);
		answer(f, rubbish, size, (struct guest_reply){.count = 3, .total = seed});
		if (f->done == 0) { /* READ of something binary */
			receive(f);
			answer(f, rubbish, size, (struct guest_reply){.count = 1});
		}
		assert_int_equal(f->done, 1);
	}
}

static void names_cannot_forge_lines(void **state)
{
	struct fixture *f = *state;

	start(f, &tool_glob, "{\"path\":\"/a\",\"pattern\":\"x\"}");
	answer(f, "/a/b\n/etc/x\x1b[m\0/a/c", 19, (struct guest_reply){.count = 1, .total = 1});
	says(f, false, "/a/b\\n/etc/x\\x1b[m\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			read_asks_for_lines_within_its_limits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_not_looked_at_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			relative_paths_start_at_the_cwd_of_the_call, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_path_that_is_too_long_is_not_sent, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			read_asks_the_size_of_what_is_no_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stat_that_is_cut_is_an_error, set_up, tear_down),
		cmocka_unit_test_setup_teardown(content_waits_for_credit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			edit_sends_old_and_new_with_a_nul_between, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bash_runs_bash_or_looks_for_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bash_streams_what_it_gathers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_cancel_reaches_the_guest_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failures_say_what_to_do, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			grep_and_glob_advise_on_their_patterns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(limits_that_were_hit_are_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_lost_guest_leaves_no_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_guest_that_has_gone_gets_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_guest_that_goes_between_two_requests_is_an_error, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lies_about_counts_do_no_harm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(records_of_rubbish_do_no_harm, set_up, tear_down),
		cmocka_unit_test_setup_teardown(names_cannot_forge_lines, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
