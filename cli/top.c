/* top.c - hearth top: an instance as it is, again and again. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/terminal.h"
#include "cli/cli.h"
#include "cli/top_view.h"

#define INTERVAL_MAX_S 3600
#define CTRL_C	       3

/* The other screen, without a cursor; and back. */
#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

/* Of the signal handler. */
static volatile sig_atomic_t last_signal;

struct top {
	const struct cli *cli;
	unsigned long interval_s, count; /* count: frames; 0: no end */
	bool is_live;			 /* on a terminal */
	struct terminal terminal;
	struct top_view views[2]; /* the present one and the one before, in turn */
	unsigned taken;
};

static const struct top_view *present(const struct top *top)
{
	return &top->views[(top->taken - 1) % 2];
}

static const struct top_view *before(const struct top *top)
{
	return top->taken > 1 ? &top->views[top->taken % 2] : NULL;
}

/* As much of the text as the window has room for. */
static void show_live(const char *text)
{
	uint16_t rows, columns;

	terminal_size(&rows, &columns);
	fputs("\033[H", stdout);
	for (unsigned row = 0; row + 1 < rows && *text; row++) {
		int length = (int)strcspn(text, "\n");

		printf("%.*s\033[K\r\n", length < columns ? length : columns, text);
		text += length + (text[length] == '\n');
	}
	fputs("\033[Jq quits", stdout);
	fflush(stdout);
}

static int show(const struct top *top, struct error *err)
{
	auto_free char *text = NULL;
	size_t size = 0;
	FILE *to;

	if (top->cli->json) {
		cli_print_json(top_view_json(present(top), before(top)));
		fflush(stdout);
		return 0;
	}
	to = open_memstream(&text, &size);
	if (to)
		top_view_write(to, top->cli->directory, present(top), before(top));
	if (!to || fclose(to) != 0)
		return error_set(err, ENOMEM, "out of memory");
	if (top->is_live) {
		show_live(text);
	} else {
		printf("%s%s", top->taken > 1 ? "\n" : "", text);
		fflush(stdout);
	}
	return 0;
}

static bool is_quit(void)
{
	char key = 0;

	return read(STDIN_FILENO, &key, 1) <= 0 || key == 'q' || key == 'Q' || key == CTRL_C;
}

/* Until the next frame is due. 1: end; 0: go on; the window's new size is shown meanwhile. */
static int rest(const struct top *top, struct error *err)
{
	uint64_t until_ms = present(top)->taken_ms + top->interval_s * 1000;
	struct pollfd key = {.fd = top->is_live ? STDIN_FILENO : -1, .events = POLLIN};

	for (;;) {
		uint64_t now_ms = clock_now_ms();
		int r;

		if (now_ms >= until_ms)
			return 0;
		r = poll(&key, 1, (int)(until_ms - now_ms));
		if (r > 0 && is_quit())
			return 1;
		if (last_signal == SIGWINCH) {
			last_signal = 0;
			r = show(top, err);
			if (r < 0)
				return r;
		} else if (last_signal != 0) {
			return 1;
		}
	}
}

static int run(struct top *top, struct error *err)
{
	int r = 0;

	while (r == 0 && (top->count == 0 || top->taken < top->count)) {
		if (top->taken > 0)
			r = rest(top, err);
		if (r == 0)
			r = top_view_take(top->cli->directory, &top->views[top->taken % 2], err);
		if (r < 0)
			return r;
		if (r == 0) {
			top->taken++;
			r = show(top, err);
		}
		if (ferror(stdout)) /* the reader has gone; whoever called us tells it */
			return 0;
	}
	return r < 0 ? r : 0;
}

static void on_signal(int number)
{
	last_signal = number;
}

/* Whatever ends it, the terminal is put back. */
static void catch_signals(void)
{
	static const int numbers[] = {SIGWINCH, SIGINT, SIGTERM, SIGHUP};
	/* A frame that is on its way is written whole; poll() ends for a signal all the same. */
	const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaction(numbers[i], &action, NULL);
}

static int run_live(struct top *top, struct error *err)
{
	int r;

	catch_signals();
	r = terminal_make_raw(&top->terminal, true, err);
	if (r < 0)
		return r;
	fputs(ENTER, stdout);
	r = run(top, err);
	fputs(LEAVE, stdout);
	fflush(stdout);
	terminal_restore(&top->terminal);
	return r;
}

int cli_top(struct cli *cli, int argc, char **argv)
{
	bool is_once = cli_option(cli, "once") != NULL;
	struct top *top = calloc(1, sizeof(*top));
	struct error err;
	int r;

	(void)argc;
	(void)argv;
	if (!top)
		return CLI_EXHAUSTED;
	top->cli = cli;
	top->is_live = !cli->json && !is_once && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	r = cli_option_number(cli, "interval", 1, INTERVAL_MAX_S, 1, &top->interval_s);
	if (r == 0)
		r = cli_option_number(cli, "count", 1, UINT32_MAX, 0, &top->count);
	if (r == 0 && is_once && cli_option(cli, "count"))
		r = cli_usage_error(cli, "--once and --count are not for one another");
	if (r == 0) {
		if (is_once)
			top->count = 1;
		r = top->is_live ? run_live(top, &err) : run(top, &err);
		if (r < 0)
			r = cli_fail(cli, &err, NULL);
	}
	free(top);
	return r;
}
