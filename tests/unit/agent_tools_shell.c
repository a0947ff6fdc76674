/*
 * shell.h and the session state of bash: the wrapper in real shells, compared with the same command line
 * without it; and what agentd asks a guest for, which this test plays.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "agentd/tool/shell.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "tests/unit/agent_tools_world.h"

#define OUTPUT_MAX 8192

struct outcome {
	int status;
	char output[OUTPUT_MAX]; /* both streams, in the order of writing */
	size_t size;
};

struct shells {
	char directory[64];
	char cwd_file[sizeof(SHELL_CWD_FILE)]; /* as long as the real one, which is everybody's */
	struct tool_shell shell;
	struct shell_wrap wrap;
};

static int set_up(void **state)
{
	struct shells *s = calloc(1, sizeof(*s));
	int fd;

	assert_non_null(s);
	strcpy(s->directory, "/tmp/agent-tools-XXXXXX");
	assert_non_null(mkdtemp(s->directory));
	assert_int_equal(sizeof("/tmp/.hth-XXXXXX"), sizeof(SHELL_CWD_FILE));
	strcpy(s->cwd_file, "/tmp/.hth-XXXXXX");
	fd = mkstemp(s->cwd_file);
	assert_true(fd >= 0);
	close(fd);
	strcpy(s->shell.cwd, s->directory);
	*state = s;
	return 0;
}

static int tear_down(void **state)
{
	struct shells *s = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s %s", s->directory, s->cwd_file);
	assert_int_equal(system(command), 0);
	free(s);
	return 0;
}

static void move_cwd_file(struct shells *s)
{
	char *at = s->wrap.script;

	while ((at = strstr(at, SHELL_CWD_FILE)))
		memcpy(at, s->cwd_file, strlen(s->cwd_file));
}

static struct outcome run(struct shells *s, const char *const *argv, const char *const *env)
{
	struct outcome outcome = {.size = 0};
	FILE *output = tmpfile();
	pid_t pid;

	assert_non_null(output);
	assert_int_equal(fcntl(fileno(output), F_SETFL, O_APPEND), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (chdir(s->shell.cwd) < 0 || dup2(fileno(output), 1) < 0 ||
			dup2(fileno(output), 2) < 0 || unsetenv("HOME") < 0)
			_exit(99);
		if (env && env[0])
			putenv((char *)env[0]);
		execvp(argv[0], (char *const *)argv);
		_exit(98);
	}
	assert_int_equal(waitpid(pid, &outcome.status, 0), pid);
	rewind(output);
	outcome.size = fread(outcome.output, 1, sizeof(outcome.output) - 1, output);
	fclose(output);
	return outcome;
}

/* What the session learns, too. */
static struct outcome run_wrapped(struct shells *s, const char *command, bool has_bash)
{
	const char *const argv[] = {"sh", "-c", s->wrap.script, "sh", command, NULL};
	struct outcome outcome;
	char data[SHELL_ANSWER_MAX];
	FILE *file;
	size_t size;

	assert_int_equal(shell_wrap(&s->wrap, &s->shell, command, has_bash, NULL), 0);
	move_cwd_file(s);
	outcome = run(s, has_bash ? s->wrap.argv : argv, s->wrap.env);
	file = fopen(s->cwd_file, "r");
	assert_non_null(file);
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	shell_learn(&s->shell, s->wrap.mark, data, size);
	return outcome;
}

static const char *below(const struct shells *s)
{
	size_t length = strlen(s->directory);

	assert_int_equal(strncmp(s->shell.cwd, s->directory, length), 0);
	return s->shell.cwd + length;
}

/* In its complaints a shell says where a command came from. */
static void leave_out(char *text, const char *word)
{
	size_t length = strlen(word);

	while ((text = strstr(text, word)))
		memmove(text, text + length, strlen(text + length) + 1);
}

static void output_and_exit_status_are_those_without_the_wrapper(void **state)
{
	static const char *const commands[] = {"true", "false", "exit 3", "exit",
		"echo a; echo b >&2", "printf x", "printf 'a\\n\\n'", "set -e; false; echo no",
		"set -eu; echo $nothing", "set -x; echo a", "set -x; cd /; true", "set -C; echo a",
		"exec echo a", "nosuchcommand", "cd /nowhere", "echo $0 $?", "(exit 7)",
		"kill -TERM $$", "kill -KILL $$", "trap 'echo bye >&2' EXIT; echo a",
		"trap 'exit 9' EXIT; exit 1", "trap 'echo bye' EXIT; set -e; false",
		"echo a # comment", "echo \\", "cat <<X\na $? b\nX", "f() { return 4; }; f",
		"if true; then\n  nosuch\nfi", "echo $LINENO\necho $LINENO",
		"{ sh -c 'kill -9 $$'; } 2>/dev/null; echo $?", "exec 1>&- 2>&-; exit 5",
		"true | false", "sleep 0 & wait; echo done", "echo ( a", "echo a\necho )\n", "'",
		"return 3", "unset HOME; echo \"$HOME\"",
		"rmdir \"$PWD\" 2>&1; pwd >/dev/null; exit 6"};
	static const char *const shells[] = {"sh", "bash"};
	struct shells *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(commands) * 2; i++) {
		const char *command = commands[i / 2];
		const char *const argv[] = {shells[i % 2], "-c", command, NULL};
		struct outcome plain, wrapped;

		mkdir(s->directory, 0700);
		strcpy(s->shell.cwd, s->directory);
		plain = run(s, argv, NULL);
		mkdir(s->directory, 0700);
		wrapped = run_wrapped(s, command, i % 2 == 1);
		leave_out(plain.output, "-c: ");
		leave_out(plain.output, "+"); /* as many as there are levels */
		leave_out(wrapped.output, "+");
		leave_out(wrapped.output, "eval: ");
		if (plain.status != wrapped.status || strcmp(plain.output, wrapped.output) != 0)
			fail_msg("%s: %s: %x %x\n%s---\n%s", shells[i % 2], command,
				(unsigned)plain.status, (unsigned)wrapped.status, plain.output,
				wrapped.output);
	}
}

static void a_command_starts_where_the_last_one_ended(void **state)
{
	struct shells *s = *state;

	for (int has_bash = 0; has_bash <= 1; has_bash++) {
		strcpy(s->shell.cwd, s->directory);
		run_wrapped(s, "mkdir -p a/b; cd a", has_bash);
		assert_string_equal(below(s), "/a");
		run_wrapped(s, "cd b && exit 3", has_bash);
		assert_string_equal(below(s), "/a/b");
		run_wrapped(s, "set -ex; cd ..; false; cd b", has_bash);
		assert_string_equal(below(s), "/a");
		run_wrapped(s, "trap true EXIT; cd b", has_bash);
		assert_string_equal(below(s), "/a/b");
		run_wrapped(s, "pwd() { echo /wrong; }; set -C; exec >&- 2>&-; cd ../..", has_bash);
		assert_string_equal(below(s), "");
		run_wrapped(s, "ln -sf a l; cd l", has_bash);
		assert_string_equal(below(s), "/a");
		run_wrapped(s, "(cd b)\ncd . | cat", has_bash);
		assert_string_equal(below(s), "/a");
	}
}

static void bash_is_looked_for_where_it_is_not_known(void **state)
{
	struct shells *s = *state;
	struct outcome outcome;

	assert_int_equal(shell_wrap(&s->wrap, &s->shell, "echo ${BASH:+bash} $#", false, NULL), 0);
	move_cwd_file(s);
	outcome = run(s, s->wrap.argv, s->wrap.env);
	assert_string_equal(outcome.output, "bash 1\n"); /* $1 is the command line */
}

static void a_shell_that_does_not_end_by_itself_stays_where_it_was(void **state)
{
	static const char *const commands[] = {"cd /; exec true", "cd /; kill -KILL $$", "cd /; (",
		"mkdir x; cd x; rmdir ../x", "mkdir 'n\nl'; cd n*l",
		"mkdir \"$(printf '\\377')\"; cd \"$(printf '\\377')\""};
	struct shells *s = *state;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		run_wrapped(s, commands[i], true);
		if (below(s)[0] != '\0')
			fail_msg("%s: %s", commands[i], s->shell.cwd);
	}
}

static void no_answer_but_the_own_one_is_learned(void **state)
{
	static const struct {
		const char *data;
		bool is_learned;
	} cases[] = {{"mark\n/a\n", true}, {"mark\n/\n", true}, {"mark\n/a b\n", true}, {"", false},
		{"mark", false}, {"mark\n", false}, {"mark\n\n", false}, {"mark\n/a", false},
		{"mar\n/a\n", false}, {"other\n/a\n", false}, {"mark\na\n", false},
		{"mark\n/a\n\n", false}, {"mark\n/a\x1b\n", false}, {"mark\n/\xff\n", false}};
	struct tool_shell *shell = &((struct shells *)*state)->shell;
	char long_one[TOOL_PATH_MAX + 8];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(shell_learn(shell, "mark", cases[i].data, strlen(cases[i].data)),
			cases[i].is_learned);
	assert_string_equal(shell->cwd, "/a b");
	assert_false(shell_learn(shell, "", "\n/a\n", 4));
	assert_false(shell_learn(shell, "mark", "mark\n/\0\n", 8));
	memset(long_one, 'a', sizeof(long_one));
	memcpy(long_one, "mark\n/", 6);
	long_one[5 + TOOL_PATH_MAX - 1] = '\n';
	assert_true(shell_learn(shell, "mark", long_one, 5 + TOOL_PATH_MAX));
	assert_int_equal(strlen(shell->cwd), TOOL_PATH_MAX - 1);
	long_one[5 + TOOL_PATH_MAX - 1] = 'a';
	long_one[5 + TOOL_PATH_MAX] = '\n';
	assert_false(shell_learn(shell, "mark", long_one, 5 + TOOL_PATH_MAX + 1));
}

static void assert_file(const struct shells *s, const char *name, const char *content)
{
	char path[128], data[256] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", s->directory, name);
	file = fopen(path, "r");
	assert_non_null(file);
	data[fread(data, 1, sizeof(data) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(data, content);
}

static void history_is_kept_in_the_workspace(void **state)
{
	struct shells *s = *state;
	struct outcome outcome;

	s->shell.workspace = s->directory;
	run_wrapped(s, "echo 'a b' \"$HOME\"", true);
	run_wrapped(s, "kill -KILL $$", false);
	outcome = run_wrapped(s, "echo one\necho two", true);
	assert_string_equal(outcome.output, "one\ntwo\n");
	assert_file(
		s, ".hearth/history", "echo 'a b' \"$HOME\"\nkill -KILL $$\necho one\necho two\n");
	assert_file(s, ".hearth/.gitignore", "*\n");
	outcome =
		run_wrapped(s, "set -o history; history -r; history | tail -n 1 | cut -c 8-", true);
	assert_non_null(strstr(outcome.output, "history -r"));
}

static void a_workspace_that_cannot_be_written_is_no_trouble(void **state)
{
	struct shells *s = *state;
	struct outcome outcome;

	s->shell.workspace = "/nowhere";
	outcome = run_wrapped(s, "echo a", true);
	assert_string_equal(outcome.output, "a\n");
	assert_int_equal(outcome.status, 0);
	assert_int_equal(access("/nowhere", F_OK), -1);
	s->shell.workspace = "/proc";
	outcome = run_wrapped(s, "echo a", false);
	assert_string_equal(outcome.output, "a\n");
	assert_int_equal(outcome.status, 0);
}

static void a_command_in_the_background_goes_to_the_history(void **state)
{
	struct shells *s = *state;
	struct outcome outcome;

	s->shell.workspace = s->directory;
	assert_int_equal(shell_wrap_script(&s->wrap, &s->shell, "cd /", "echo \"<$1>\"", NULL), 0);
	outcome = run(s, s->wrap.argv, s->wrap.env);
	assert_string_equal(outcome.output, "<cd />\n");
	assert_file(s, ".hearth/history", "cd /\n");
}

/* From here on: what agentd and a guest say to each other. */

static int set_up_world(void **state)
{
	struct world *w = world_create();

	w->request.shell = calloc(1, sizeof(*w->request.shell));
	w->request.has_bash = true;
	w->request.cwd = "/first";
	*state = w;
	return 0;
}

static int tear_down_world(void **state)
{
	struct world *w = *state;

	free(w->request.shell);
	world_destroy(w);
	return 0;
}

/* The mark stands in the script, behind "echo ". */
static void answer_cwd(struct world *w, const char *mark, const char *path)
{
	char data[256];
	int n = snprintf(data, sizeof(data), "%.16s\n%s\n", mark, path);

	assert_int_equal(world_receive(w)->type, GUEST_READ);
	assert_string_equal(w->strings[0], SHELL_CWD_FILE);
	world_output(w, GUEST_DATA, data, (size_t)n);
	world_reply(w, (struct guest_reply){.count = (uint64_t)n});
}

static void the_session_goes_where_bash_went(void **state)
{
	struct world *w = *state;
	char mark[17] = "";

	world_start(w, &tool_bash, "{\"command\":\"cd /x\"}");
	assert_int_equal(world_receive(w)->type, GUEST_EXEC);
	assert_true(world_has(w, "/first", NULL));
	assert_true(world_has(w, "bash", "cd /x"));
	memcpy(mark, strstr(w->strings[2], "command echo ") + 13, 16);
	world_output(w, GUEST_STDOUT, "out\n", 4);
	world_reply(w, (struct guest_reply){.exit_status = 4, .wall_ns = 77});
	assert_int_equal(w->done, 0);
	assert_int_equal(w->streamed, 4);
	answer_cwd(w, mark, "/x");
	assert_int_equal(w->streamed, 4); /* the second request is ours */
	world_says(w, false, "exit code: 4\nstdout:\nout\n");
	assert_int_equal(w->reply.exit_status, 4); /* the receipt is the command's */
	assert_int_equal(w->reply.wall_ns, 77);
	assert_string_equal(w->request.shell->cwd, "/x");

	world_start(w, &tool_read, "{\"path\":\"f\"}");
	world_receive(w);
	assert_string_equal(w->strings[0], "/x/f");
	world_reply(w, (struct guest_reply){.end = GUEST_END_CANCELLED});
	world_start(w, &tool_bash, "{\"command\":\"true\"}");
	world_receive(w);
	assert_true(world_has(w, "/x", NULL));
	world_reply(w, (struct guest_reply){.exit_status = 0});
	answer_cwd(w, mark, "/stale");
	assert_int_equal(w->done, 1);
	assert_string_equal(w->request.shell->cwd, "/x");
}

static void what_becomes_of_the_second_question_changes_no_answer(void **state)
{
	struct world *w = *state;

	world_start(w, &tool_bash, "{\"command\":\"x\"}");
	world_receive(w);
	world_reply(w, (struct guest_reply){.exit_status = 3});
	world_receive(w);
	world_reply(w, (struct guest_reply){.end = GUEST_END_FAILED, .error = ENOENT});
	world_says(w, false, "exit code: 3\n");
	assert_int_equal(w->reply.end, GUEST_END_DONE);

	world_start(w, &tool_bash, "{\"command\":\"x\"}");
	world_receive(w);
	world_reply(w, (struct guest_reply){.exit_status = 3});
	guest_client_lose(w->client, 0, "gone");
	world_says(w, false, "exit code: 3\n");
	assert_int_equal(w->reply.end, GUEST_END_DONE);
	assert_string_equal(w->request.shell->cwd, "");
}

static void a_command_that_was_killed_is_not_asked_where_it_was(void **state)
{
	struct world *w = *state;

	world_start(w, &tool_bash, "{\"command\":\"x\",\"timeout\":5}");
	world_receive(w);
	world_reply(w, (struct guest_reply){.end = GUEST_END_TIMEOUT, .exit_status = 124});
	assert_int_equal(w->done, 1);
	assert_true(w->is_error);
	world_start(w, &tool_bash, "{\"command\":\"x\",\"background\":true}");
	world_receive(w);
	world_reply(w, (struct guest_reply){.exit_status = 0});
	assert_int_equal(w->done, 1);
}

static void a_directory_that_has_gone_is_left(void **state)
{
	struct world *w = *state;

	strcpy(w->request.shell->cwd, "/gone");
	world_start(w, &tool_bash, "{\"command\":\"x\"}");
	world_receive(w);
	world_reply(w, (struct guest_reply){.end = GUEST_END_FAILED,
			       .error = ENOENT,
			       .exit_status = 126,
			       .text = "/gone: No such file or directory"});
	assert_int_equal(w->done, 0);
	assert_int_equal(world_receive(w)->type, GUEST_EXEC);
	assert_true(world_has(w, "/first", NULL));
	world_reply(w, (struct guest_reply){.exit_status = 0});
	world_receive(w);
	world_reply(w, (struct guest_reply){.end = GUEST_END_FAILED, .error = ENOENT});
	world_says(w, false,
		"The working directory has gone: /gone: started in the first one\nexit code: 0\n");
	assert_string_equal(w->request.shell->cwd, "");

	/* Once more only: without a directory of its own it is another trouble. */
	world_start(w, &tool_bash, "{\"command\":\"x\"}");
	world_receive(w);
	world_reply(w,
		(struct guest_reply){.end = GUEST_END_FAILED, .error = ENOENT, .exit_status = 126});
	assert_int_equal(w->done, 1);
	assert_true(w->is_error);
}

#define IN_SHELLS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define IN_WORLD(test)	cmocka_unit_test_setup_teardown(test, set_up_world, tear_down_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SHELLS(output_and_exit_status_are_those_without_the_wrapper),
		IN_SHELLS(a_command_starts_where_the_last_one_ended),
		IN_SHELLS(bash_is_looked_for_where_it_is_not_known),
		IN_SHELLS(a_shell_that_does_not_end_by_itself_stays_where_it_was),
		IN_SHELLS(no_answer_but_the_own_one_is_learned),
		IN_SHELLS(history_is_kept_in_the_workspace),
		IN_SHELLS(a_workspace_that_cannot_be_written_is_no_trouble),
		IN_SHELLS(a_command_in_the_background_goes_to_the_history),
		IN_WORLD(the_session_goes_where_bash_went),
		IN_WORLD(what_becomes_of_the_second_question_changes_no_answer),
		IN_WORLD(a_command_that_was_killed_is_not_asked_where_it_was),
		IN_WORLD(a_directory_that_has_gone_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
