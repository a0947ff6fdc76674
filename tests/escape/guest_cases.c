/*
 * Attempts by way of what PID 1 does for its client.
 *
 * E02 libraries and loaders replaced, for whoever runs a program in here
 * E05 a command whose directory is an fd of PID 1
 * E78 calls at random: HEARTH_SEED repeats, HEARTH_SOAK=1 takes a minute
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/escape/escape.h"
#include "tests/system/jail_calls.h"

#define FDS_MAX	    64
#define STORM_MS    3000
#define SOAK_MS	    60000
#define ONE_CALL_MS 5000

static struct fixture_result result;

/* What a dynamically linked program, a shell or a library of names would load. */
static const char plant[] =
	"mkdir -p /lib /lib64 /usr/lib /lib/x86_64-linux-gnu /etc /root && "
	"printf '#!/bin/sh\\necho ran >>/tmp/evil-ran\\n' >/tmp/evil && chmod 755 /tmp/evil && "
	"for f in /lib/ld-musl-x86_64.so.1 /lib64/ld-linux-x86-64.so.2 /lib/libc.so "
	"/lib/x86_64-linux-gnu/libc.so.6 /usr/lib/libc.so /lib/libnss_files.so.2; do "
	"rm -f $f && cp /tmp/evil $f || exit 1; done && "
	"echo /tmp/evil >/etc/ld.so.preload && cp /tmp/evil /etc/ld.so.cache && "
	"echo 'echo ran >>/tmp/evil-ran' >/etc/profile && cp /etc/profile /root/.profile";

static void read_maps(pid_t pid, char *text, size_t size)
{
	char path[64];
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	fclose(file);
	assert_true(n > 0);
}

static void file_request(struct guest_client *client, uint16_t type, const char *pattern)
{
	struct guest_file_options options = {
		.type = type, .path = "/etc", .timeout_ms = ONE_CALL_MS};
	struct call call;

	options.pattern = pattern;
	options.include = type == GUEST_GREP ? "" : NULL;
	call_file(client, &call, &options, NULL, 0);
	call_wait(client, &call);
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	call_finish(&call);
}

static void no_service_loads_what_was_planted(struct escape *e)
{
	static char maps[65536];

	e->attempts++;
	fixture_run_ok(e->client, plant, &result);
	fixture_run_ok(e->client, "echo fine", &result);
	assert_string_equal(result.output, "fine\n");
	file_request(e->client, GUEST_LIST, NULL);
	file_request(e->client, GUEST_GLOB, "**/*");
	file_request(e->client, GUEST_GREP, "ev[i]l");
	fixture_run_ok(e->client, "test ! -e /tmp/evil-ran", &result);
	read_maps((pid_t)e->fixture.built.pid, maps, sizeof(maps));
	assert_null(strstr(maps, "/lib"));
	assert_null(strstr(maps, "/etc"));
	/* What was planted does run, and would have told. */
	fixture_run_ok(e->client, "/lib64/ld-linux-x86-64.so.2; grep ran /tmp/evil-ran", &result);
	e->controls++;
}

/* The command's directory and what is in it. */
static void run_in(struct guest_client *client, const char *cwd, struct call *call)
{
	const struct guest_exec_options options = {.cwd = cwd, .timeout_ms = ONE_CALL_MS};

	call_command(client, call, "pwd; ls -a", &options);
	call_wait(client, call);
}

static void no_fd_of_pid_1_is_a_directory_to_run_in(struct escape *e)
{
	static const char *const others[] = {
		"/proc/1/cwd", "/proc/1/root", "/proc/1/fd", "/proc/1/task/1/cwd"};
	struct call call;
	char cwd[64];

	for (int fd = 0; fd <= FDS_MAX + 4; fd++) {
		e->attempts++;
		if (fd <= FDS_MAX)
			snprintf(cwd, sizeof(cwd), "/proc/self/fd/%d", fd);
		else
			snprintf(cwd, sizeof(cwd), "%s", others[fd - FDS_MAX - 1]);
		run_in(e->client, cwd, &call);
		assert_int_not_equal(call.reply.exit_status, 0);
		call_finish(&call);
		run_in(e->client, "/proc/self/task", &call);
		assert_int_equal(call.reply.exit_status, 0);
		call_finish(&call);
		e->controls++;
	}
}

static void calls_at_random_end_nothing_but_themselves(struct escape *e)
{
	const char *given = getenv("HEARTH_SEED");
	unsigned long seed = given ? strtoul(given, NULL, 10) : clock_now_ns() % 1000000;
	uint64_t until = clock_now_ms() + (getenv("HEARTH_SOAK") ? SOAK_MS : STORM_MS);
	unsigned counts[3], granted = 0, refused = 0, unknown = 0, storms = 0;
	char command[64];

	e->attempts++;
	printf("# E78: HEARTH_SEED=%lu\n", seed);
	do {
		const char *line;

		snprintf(command, sizeof(command), "exec " PROBE_PROGRAM " --random %lu",
			seed + storms++);
		fixture_run(e->client, command, ONE_CALL_MS, &result);
		line = strstr(result.output, "\nrandom ");
		if (!line ||
			sscanf(line, "\nrandom %u %u %u", &counts[0], &counts[1], &counts[2]) != 3)
			continue; /* it has ended itself */
		granted += counts[0];
		refused += counts[1];
		unknown += counts[2];
	} while (clock_now_ms() < until);
	printf("# E78: %u storms, %u calls granted, %u refused, %u unknown\n", storms, granted,
		refused, unknown);
	/* The numbers do reach the kernel, and all of its answers come. */
	assert_true(granted > 0 && refused > 0 && unknown > 0);
	e->controls++;
}

static const struct escape_case cases[] = {
	{"E02", "no service loads a library or a loader that was planted",
		no_service_loads_what_was_planted},
	{"E05", "no fd of PID 1 is a directory to run in", no_fd_of_pid_1_is_a_directory_to_run_in},
	{"E78", "calls at random end nothing but themselves",
		calls_at_random_end_nothing_but_themselves},
};

const struct escape_cases escape_guest = ESCAPE_CASES(cases);
