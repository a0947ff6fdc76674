/* proto/stream.c and cli/inside.c: input in, output out, signals across, while one of them is slow. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/inside.h"
#include "proto/stream.h"
#include "tests/unit/cli_capture.h"

/* A command inside that only takes notes. */
struct fixture {
	struct stream stream;
	uint32_t room;
	char input[256];
	size_t input_size;
	unsigned ends;
	int refuses; /* -errno of input() */
	int signals[8];
	unsigned signal_count;
	int drain; /* fd to empty when a signal comes; -1: none */
	sigset_t before;
};

static uint32_t credit(void *arg)
{
	return ((struct fixture *)arg)->room;
}

static int input(void *arg, const void *data, uint32_t size)
{
	struct fixture *f = arg;

	assert_true(size <= f->room);
	if (f->refuses)
		return f->refuses;
	memcpy(f->input + f->input_size, data, size);
	f->input_size += size;
	f->ends += size == 0;
	return 0;
}

static void pass_signal(void *arg, int signal)
{
	struct fixture *f = arg;
	char buffer[65536];

	f->signals[f->signal_count++] = signal;
	if (f->drain >= 0)
		assert_true(read(f->drain, buffer, sizeof(buffer)) > 0);
}

static void resize(void *arg, uint16_t rows, uint16_t columns)
{
	(void)rows;
	(void)columns;
	pass_signal(arg, SIGWINCH);
}

static const struct stream_ops ops = {credit, input, pass_signal, resize};
static struct fixture fixture;

static int set_up(void **state)
{
	memset(&fixture, 0, sizeof(fixture));
	fixture.drain = -1;
	fixture.room = 64;
	sigprocmask(SIG_SETMASK, NULL, &fixture.before);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	stream_finish(&f->stream);
	fd_close(f->stream.signals);
	sigprocmask(SIG_SETMASK, &f->before, NULL);
	return 0;
}

static void start(struct fixture *f, bool has_stdin, bool has_tty)
{
	assert_int_equal(stream_start(&f->stream, has_stdin, has_tty, &ops, f, NULL), 0);
}

/* Put text where stdin is, for the time of the test. Returns the real stdin. */
static int feed(const char *text)
{
	int real = dup(STDIN_FILENO), fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], text, strlen(text)), strlen(text));
	dup2(fds[0], STDIN_FILENO);
	close(fds[0]);
	close(fds[1]);
	return real;
}

static void put_back(int real)
{
	dup2(real, STDIN_FILENO);
	close(real);
}

static void input_goes_on_to_its_end_within_the_credit(void **state)
{
	struct fixture *f = *state;
	int real = feed("hello, command");

	f->room = 4;
	start(f, true, false);
	while (f->stream.has_input)
		assert_int_equal(stream_wait(&f->stream, NULL, 0, NULL), 0);
	put_back(real);
	f->input[f->input_size] = '\0';
	assert_string_equal(f->input, "hello, command");
	assert_int_equal(f->ends, 1);
}

static void without_credit_no_input_is_read(void **state)
{
	struct fixture *f = *state;
	int real = feed("x");

	f->room = 0;
	start(f, true, false);
	raise(SIGTERM); /* something else to wake up for */
	assert_int_equal(stream_wait(&f->stream, NULL, 0, NULL), 0);
	put_back(real);
	assert_int_equal(f->input_size, 0);
	assert_int_equal(f->ends, 0);
	assert_true(f->stream.has_input);
}

static void refused_input_is_the_last(void **state)
{
	struct fixture *f = *state;
	int real = feed("x");

	f->refuses = -EPIPE;
	start(f, true, false);
	assert_int_equal(stream_wait(&f->stream, NULL, 0, NULL), 0);
	put_back(real);
	assert_false(f->stream.has_input);
}

static void signals_are_passed_on_instead_of_ending_us(void **state)
{
	static const int all[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct fixture *f = *state;

	start(f, false, false);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		raise(all[i]);
		assert_int_equal(stream_wait(&f->stream, NULL, 0, NULL), 0);
		assert_int_equal(f->signals[i], all[i]);
	}
	assert_int_equal(f->signal_count, ARRAY_SIZE(all));
}

static void a_signal_that_was_ignored_stays_so(void **state)
{
	struct fixture *f = *state;

	signal(SIGHUP, SIG_IGN);
	start(f, false, false);
	raise(SIGHUP);
	raise(SIGTERM);
	assert_int_equal(stream_wait(&f->stream, NULL, 0, NULL), 0);
	signal(SIGHUP, SIG_DFL);
	assert_int_equal(f->signal_count, 1);
	assert_int_equal(f->signals[0], SIGTERM);
}

static void a_new_size_matters_only_to_a_command_with_a_terminal(void **state)
{
	struct fixture *f = *state;

	start(f, false, false);
	raise(SIGWINCH);
	assert_int_equal(stream_wait(&f->stream, NULL, 0, NULL), 0);
	assert_int_equal(f->signal_count, 0);
	f->stream.has_tty = true;
	raise(SIGWINCH);
	assert_int_equal(stream_wait(&f->stream, NULL, 0, NULL), 0);
	assert_int_equal(f->signals[0], SIGWINCH);
}

static void others_are_waited_for_and_told(void **state)
{
	struct fixture *f = *state;
	struct pollfd p = {.events = POLLIN};
	int fds[2];

	start(f, false, false);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	p.fd = fds[0];
	assert_int_equal(stream_wait(&f->stream, &p, 1, NULL), 0);
	assert_true(p.revents & POLLIN);
	close(fds[0]);
	close(fds[1]);
}

static void more_fds_than_there_is_room_for_are_refused(void **state)
{
	struct fixture *f = *state;
	struct pollfd p[STREAM_OTHERS_MAX + 1] = {0};

	start(f, false, false);
	assert_int_equal(stream_wait(&f->stream, p, ARRAY_SIZE(p), NULL), -EINVAL);
}

static void output_goes_to_a_slow_reader_whole(void **state)
{
	static char data[1 << 20];
	struct fixture *f = *state;
	int fds[2], status;
	pid_t reader;

	start(f, false, false);
	assert_int_equal(pipe(fds), 0);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 / 5);
	reader = fork();
	if (reader == 0) {
		size_t total = 0;
		char part[100];
		ssize_t n;

		close(fds[1]);
		while ((n = read(fds[0], part, sizeof(part))) > 0) {
			if (memcmp(part, data + total, (size_t)n) != 0)
				_exit(1);
			total += (size_t)n;
		}
		_exit(total == sizeof(data) ? 0 : 2);
	}
	close(fds[0]);
	assert_int_equal(stream_write(&f->stream, fds[1], data, sizeof(data)), 0);
	close(fds[1]);
	assert_int_equal(waitpid(reader, &status, 0), reader);
	assert_int_equal(status, 0);
}

static void signals_are_passed_on_while_a_full_pipe_waits(void **state)
{
	static const char data[4096];
	struct fixture *f = *state;
	int fds[2];

	start(f, false, false);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[1], F_SETPIPE_SZ, 4096), 4096);
	assert_int_equal(write(fds[1], data, 4096), 4096);
	f->drain = fds[0];
	raise(SIGTERM);
	/* There is room only once the signal has been passed on. */
	assert_int_equal(stream_write(&f->stream, fds[1], data, sizeof(data)), 0);
	assert_int_equal(f->signals[0], SIGTERM);
	close(fds[0]);
	close(fds[1]);
}

static void output_without_a_reader_is_an_error(void **state)
{
	struct fixture *f = *state;
	int fds[2];

	start(f, false, false);
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(stream_write(&f->stream, fds[1], "x", 1), -EPIPE);
	close(fds[1]);
	signal(SIGPIPE, SIG_DFL);
}

static const struct cli_option options[] = {
	{"env", 0, "K=V", ""},
	{"cwd", 0, "DIR", ""},
	{"timeout", 0, "TIME", ""},
	{"tty", 't', NULL, ""},
	{"interactive", 'i', NULL, ""},
	{NULL, 0, NULL, NULL},
};

static void give(struct cli *cli, const char *name, const char *value)
{
	const struct cli_option *option = options;

	while (strcmp(option->name, name) != 0)
		option++;
	cli->given[cli->given_count].option = option;
	cli->given[cli->given_count++].value = value;
}

static int parse(const struct cli *cli, struct inside *inside)
{
	static char *argv[] = {(char *)"true", NULL};
	int r;

	capture_begin();
	r = inside_parse(cli, argv, inside);
	capture_end();
	return r;
}

static void a_command_is_made_of_its_options(void **state)
{
	struct inside inside;
	struct cli cli = {0};

	(void)state;
	give(&cli, "env", "A=1");
	give(&cli, "tty", "");
	give(&cli, "env", "B=");
	give(&cli, "timeout", "1.5");
	give(&cli, "cwd", "/tmp");
	assert_int_equal(parse(&cli, &inside), 0);
	assert_string_equal(inside.command.argv[0], "true");
	assert_string_equal(inside.command.env[0], "A=1");
	assert_string_equal(inside.command.env[1], "B=");
	assert_null(inside.command.env[2]);
	assert_int_equal(inside.command.timeout_ms, 1500);
	assert_string_equal(inside.command.cwd, "/tmp");
	assert_true(inside.command.has_tty);
	assert_false(inside.command.has_stdin);
}

static void wrong_options_are_refused(void **state)
{
	static const struct {
		const char *name, *value;
	} rows[] = {
		{"env", "A"},
		{"env", "=1"},
		{"env", ""},
		{"timeout", "0"},
		{"timeout", "soon"},
		{"timeout", "25h"},
		{"cwd", "tmp"},
		{"cwd", ""},
	};
	struct inside inside;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cli cli = {0};

		give(&cli, rows[i].name, rows[i].value);
		assert_int_equal(parse(&cli, &inside), CLI_USAGE);
		assert_non_null(strstr(captured_err, rows[i].name));
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(input_goes_on_to_its_end_within_the_credit),
		TEST(without_credit_no_input_is_read),
		TEST(refused_input_is_the_last),
		TEST(signals_are_passed_on_instead_of_ending_us),
		TEST(a_signal_that_was_ignored_stays_so),
		TEST(a_new_size_matters_only_to_a_command_with_a_terminal),
		TEST(others_are_waited_for_and_told),
		TEST(more_fds_than_there_is_room_for_are_refused),
		TEST(output_goes_to_a_slow_reader_whole),
		TEST(signals_are_passed_on_while_a_full_pipe_waits),
		TEST(output_without_a_reader_is_an_error),
		cmocka_unit_test(a_command_is_made_of_its_options),
		cmocka_unit_test(wrong_options_are_refused),
	};

	return cmocka_run_group_tests_name("cli_stream", tests, NULL, NULL);
}
