/* A session of bash with a real guest and real shells: where commands start, and what history holds. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/buffer.h>

#include "agentd/tool/shell.h"
#include "base/error.h"
#include "tests/unit/guest_child.h"

struct session {
	struct guest_child guest;
	struct tool_shell shell;
	bool has_bash;
	int done;
	char text[8192];
	struct guest_reply reply;
};

static int set_up(void **state)
{
	struct session *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	guest_child_start(&s->guest);
	s->shell.workspace = s->guest.root;
	*state = s;
	return 0;
}

/* The file is a sandbox's in /tmp of its own; here it is the machine's. */
static int tear_down(void **state)
{
	struct session *s = *state;

	guest_child_stop(&s->guest);
	assert_true(unlink(SHELL_CWD_FILE) == 0 || errno == ENOENT);
	free(s);
	return 0;
}

static void on_done(void *arg, const struct tool_result *result)
{
	struct session *s = arg;
	size_t length = evbuffer_get_length(result->text);

	assert_true(length < sizeof(s->text));
	evbuffer_copyout(result->text, s->text, length);
	s->text[length] = '\0';
	s->reply = *result->reply;
	s->done++;
}

static const char *call(
	struct session *s, const struct tool *tool, const char *name, const char *value)
{
	const struct tool_callbacks callbacks = {.on_done = on_done, .arg = s};
	json_auto_t *arguments = json_pack("{s:s}", name, value);
	const struct tool_request request = {.tool = tool,
		.guest = s->guest.client,
		.arguments = arguments,
		.has_bash = s->has_bash,
		.shell = &s->shell};
	struct tool_run *run;
	struct error err;

	s->done = 0;
	if (tool_start(&request, &callbacks, &run, &err) < 0)
		fail_msg("%s", err.text);
	while (s->done == 0) {
		struct pollfd fd = {.fd = guest_client_fd(s->guest.client),
			.events = guest_client_wants_write(s->guest.client) ? POLLIN | POLLOUT
									    : POLLIN};

		assert_int_equal(poll(&fd, 1, 30000), 1);
		assert_int_equal(guest_client_process(s->guest.client, &err), 0);
	}
	return s->text;
}

static void a_session_goes_from_command_to_command(void **state)
{
	struct session *s = *state;
	char expected[256];

	for (int i = 0; i < 2; i++) {
		s->has_bash = i == 1;
		s->shell.cwd[0] = '\0';
		assert_string_equal(call(s, &tool_bash, "command", "mkdir -p a/b; cd a/b; exit 3"),
			"exit code: 3\n");
		assert_int_equal(s->reply.exit_status, 3);
		snprintf(expected, sizeof(expected), "exit code: 0\nstdout:\n%s/a/b\n",
			s->guest.root);
		assert_string_equal(call(s, &tool_bash, "command", "pwd; echo x >f"), expected);
		assert_string_equal(call(s, &tool_read, "path", "f"), "1\tx\n");
		assert_string_equal(call(s, &tool_ls, "path", "."), "f\n");
		call(s, &tool_bash, "command", "cd ..; kill -KILL $$");
		assert_string_equal(call(s, &tool_bash, "command", "pwd"), expected);
	}
}

static void a_directory_that_has_gone_is_left_and_that_is_said(void **state)
{
	struct session *s = *state;

	call(s, &tool_bash, "command", "mkdir a; cd a");
	assert_string_equal(s->shell.cwd + strlen(s->guest.root), "/a");
	call(s, &tool_bash, "command", "rmdir \"$PWD\"");
	assert_string_equal(s->shell.cwd + strlen(s->guest.root), "/a");
	call(s, &tool_bash, "command", "pwd");
	assert_int_equal(strncmp(s->text, "The working directory has gone: /tmp/", 37), 0);
	assert_non_null(strstr(s->text, "exit code: 0\n"));
	assert_string_equal(s->shell.cwd, s->guest.root);
}

static void the_next_day_has_the_history(void **state)
{
	struct session *s = *state;

	call(s, &tool_bash, "command", "echo 'one two'");
	call(s, &tool_bash, "command", "exit 4");
	assert_string_equal(
		guest_child_get(&s->guest, ".hearth/history"), "echo 'one two'\nexit 4\n");
	call(s, &tool_bash, "command", "tail -n 1 \"$HISTFILE\"");
	assert_string_equal(s->text, "exit code: 0\nstdout:\ntail -n 1 \"$HISTFILE\"\n");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_session_goes_from_command_to_command),
		TEST(a_directory_that_has_gone_is_left_and_that_is_said),
		TEST(the_next_day_has_the_history),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
