/*
 * What requests meet in a hostile sandbox.
 *
 * E08 /proc taken away while commands run
 * E93 names exchanged under them for links to the host, to PID 1, to the worker itself
 * E94 targets that have no end, no text, or no room   E95 programs and settings planted for helpers
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/escape/canary.h"
#include "tests/escape/escape.h"
#include "tests/system/jail_calls.h"

#define ROUNDS	  250 /* of 8 requests, for each of 5 targets: 10 k in all */
#define COMMANDS  1000
#define OWN_TEXT  "inside"
#define SHORT_MS  1000
#define MAX_BYTES (64u << 10)

static struct call call;
static struct fixture_result result;

/* Every kind of request, to one path. WRITE and EDIT keep the text. */
static const struct {
	uint16_t type;
	uint32_t flags;
	const char *input;
	size_t input_size;
} requests[] = {
	{GUEST_READ, 0, NULL, 0},
	{GUEST_READ, GUEST_FILE_LINES, NULL, 0},
	{GUEST_WRITE, 0, OWN_TEXT, sizeof(OWN_TEXT) - 1},
	{GUEST_EDIT, 0, OWN_TEXT "\0" OWN_TEXT, 2 * sizeof(OWN_TEXT) - 1},
	{GUEST_STAT, GUEST_FILE_FOLLOW, NULL, 0},
	{GUEST_LIST, 0, NULL, 0},
	{GUEST_GLOB, 0, NULL, 0},
	{GUEST_GREP, 0, NULL, 0},
};

static void ask(struct guest_client *client, size_t kind, const char *path)
{
	uint16_t type = requests[kind].type;
	const struct guest_file_options options = {.type = type,
		.flags = requests[kind].flags,
		.path = path,
		.pattern = type == GUEST_GLOB	? "**/*"
			   : type == GUEST_GREP ? "[a-z]"
						: NULL,
		.include = type == GUEST_GREP ? "" : NULL,
		.offset = requests[kind].flags & GUEST_FILE_LINES ? 1 : 0,
		.timeout_ms = SHORT_MS,
		.max_bytes = MAX_BYTES};

	call_file(client, &call, &options, requests[kind].input, requests[kind].input_size);
	call_wait(client, &call);
	assert_int_equal(call.replies, 1);
	assert_true(call.bytes[GUEST_DATA] <= MAX_BYTES);
	if (call.reply.end == GUEST_END_FAILED) {
		assert_int_not_equal(call.reply.error, 0);
		assert_true(strlen(call.reply.text) > 0);
	} else if (call.reply.end != GUEST_END_DONE && call.reply.end != GUEST_END_TIMEOUT) {
		fail_msg("request %u of %.60s: end %u", type, path, call.reply.end);
	}
}

/* Of a file of the host, of the program of PID 1, or of a worker's memory. */
static void assert_nothing_of_the_host(void)
{
	static const char *const telling[] = {CANARY_TEXT, "hearth-builder", "\177ELF", "r-xp"};

	for (size_t i = 0; call.output && i < ARRAY_SIZE(telling); i++)
		if (memmem(call.output, call.size, telling[i], strlen(telling[i])))
			fail_msg("a reply holds \"%s\"", telling[i]);
}

/* /race/d/maps is a file of the sandbox; then d is a link to another directory that has such a name. */
static void start_swapping(struct guest_client *client, const char *target, struct call *swap)
{
	static char command[512];

	snprintf(command, sizeof(command),
		"rm -rf /race; mkdir -p /race/d /secret; echo " OWN_TEXT ">/race/d/maps; "
		"echo swapped >/secret/maps; ln -s %s /race/l; exec " PROBE_PROGRAM
		" --swap /race/d /race/l",
		target);
	call_command(client, swap, command, NULL);
	while (swap->bytes[GUEST_STDOUT] == 0)
		calls_turn(client, 1000);
}

static void stop_swapping(struct guest_client *client, struct call *swap)
{
	assert_int_equal(swap->replies, 0); /* it swapped all the time */
	assert_int_equal(guest_request_cancel(swap->request), 0);
	call_wait(client, swap);
	call_finish(swap);
}

static void race(struct escape *e, const char *target)
{
	struct call swap;

	e->attempts++;
	start_swapping(e->client, target, &swap);
	for (int round = 0; round < ROUNDS; round++)
		for (size_t k = 0; k < ARRAY_SIZE(requests); k++) {
			bool is_directory = requests[k].type >= GUEST_LIST;

			ask(e->client, k, is_directory ? "/race/d" : "/race/d/maps");
			assert_nothing_of_the_host();
			call_finish(&call);
		}
	stop_swapping(e->client, &swap);
}

/* A link within the sandbox is followed, and the same race is seen: both contents come. */
static void race_inside(struct escape *e)
{
	bool saw_own = false, saw_swapped = false;
	struct call swap;

	start_swapping(e->client, "/secret", &swap);
	for (int i = 0; i < 100 * ROUNDS && !(saw_own && saw_swapped); i++) {
		ask(e->client, 0, "/race/d/maps");
		saw_own |= call.output && strstr(call.output, OWN_TEXT);
		saw_swapped |= call.output && strstr(call.output, "swapped");
		call_finish(&call);
	}
	stop_swapping(e->client, &swap);
	assert_true(saw_own && saw_swapped);
	e->controls++;
}

static void names_exchanged_lead_nowhere(struct escape *e)
{
	struct canary canary;
	char target[256];

	canary_make(&canary, e->world.root);
	canary_shell("printf %%s '" CANARY_TEXT "' >%s/maps", canary.host);
	canary.digest = canary_digest(canary.host);
	snprintf(target, sizeof(target), "/proc/1/root%s", canary.host);
	race(e, target);
	race_inside(e);
	race(e, canary.host);
	race_inside(e);
	snprintf(target, sizeof(target), "../../../../../..%s", canary.host);
	race(e, target);
	race_inside(e);
	race(e, "/proc/self");
	race_inside(e);
	race(e, "/proc/1");
	race_inside(e);
	canary_assert_untouched(&canary);
	canary_remove(&canary);
}

/* Each a trap for a reader who trusts names. */
static const char make_targets[] =
	"mkdir -p /t/d; cd /t; mkfifo fifo; truncate -s 1125899906842624 sparse; ln -s loop loop; "
	"ln -s /proc/self/exe exe; ln -s /proc/self/maps maps; ln -s /proc/self/mem mem; "
	"ln -s /dev/zero zero; echo x >'new\nline'; echo x >\"$(printf 'bad\\377utf')\"; "
	"echo x >-rf; echo x >'*'; echo inside >d/plain; ln -s /proc/self/fd/0 stdin";

static const char *const targets[] = {"/t/fifo", "/t/sparse", "/t/loop", "/t/exe", "/t/maps",
	"/t/mem", "/t/zero", "/t/new\nline", "/t/bad\377utf", "/t/-rf", "/t/*", "/t/stdin",
	"/dev/zero", "/dev/full", "/dev/null", "/dev/tty", "/dev/ptmx", "/proc/kmsg", "/proc/kcore",
	"/proc/1/mem", "/proc/self/pagemap", "/proc/self/task", "/proc/sysrq-trigger",
	"/proc/self/clear_refs", "/t/none/\n/x", "/t/d/../../../../../etc", "", "\1\2\3"};

/* The same request works where nothing is odd. */
static void ask_plainly(struct escape *e, size_t kind)
{
	ask(e->client, kind, requests[kind].type >= GUEST_LIST ? "/t/d" : "/t/d/plain");
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	call_finish(&call);
	e->controls++;
}

static void odd_targets_are_replied(struct escape *e)
{
	static char path[4097];

	for (size_t i = 0; i < sizeof(path) - 1; i++)
		path[i] = i % 2 ? 'a' : '/';
	fixture_run_ok(e->client, make_targets, &result);
	for (size_t t = 0; t <= ARRAY_SIZE(targets); t++)
		for (size_t k = 0; k < ARRAY_SIZE(requests); k++) {
			e->attempts++;
			ask(e->client, k, t < ARRAY_SIZE(targets) ? targets[t] : path);
			assert_nothing_of_the_host();
			call_finish(&call);
			ask_plainly(e, k);
		}
	/* A reader who trusts names waits, or reads without an end. */
	fixture_run(e->client, "cat /t/fifo", SHORT_MS, &result);
	assert_int_equal(result.reply.end, GUEST_END_TIMEOUT);
	fixture_run(e->client, "cat /t/zero >/dev/null", SHORT_MS, &result);
	assert_int_equal(result.reply.end, GUEST_END_TIMEOUT);
}

/* Where helpers would look, had PID 1 any that run programs of the image; and how each is run. */
static const struct {
	const char *plant, *run;
} plants[] = {
	{"plant /bin/cat /bin/ls /bin/grep /bin/find", "/bin/cat /etc/passwd"},
	{"plant /w/sh /w/git /w/rg /w/sed /w/tar", "PATH=/w:/bin git"},
	{"echo 'PATH=/w:/bin ENV=/tmp/evil BASH_ENV=/tmp/evil' >/etc/environment",
		"export $(busybox cat /etc/environment); /bin/busybox sh -i </dev/null"},
	{"plant /root/.profile /root/.bashrc /root/.bash_profile /root/.envrc", ". /root/.profile"},
	{"plant /etc/profile /etc/profile.d/x.sh", ". /etc/profile.d/x.sh"},
	{"plant /w/.git/hooks/pre-commit /w/.git/hooks/post-index-change",
		"/w/.git/hooks/post-index-change"},
	{"echo '[core] fsmonitor=/tmp/evil' >/w/.git/config; busybox cp /w/.git/config "
	 "/etc/gitconfig; "
	 "busybox cp /w/.git/config /root/.gitconfig",
		"$(cut -d= -f2 /root/.gitconfig)"},
	{"mkdir -p /etc/cron.d; echo '* * * * * root /tmp/evil' >/etc/cron.d/x",
		"$(cut -d' ' -f7 /etc/cron.d/x)"},
	{"echo 'all: ; /tmp/evil' >/w/Makefile; echo '* filter=evil' >/w/.gitattributes",
		"$(cut -d';' -f2 /w/Makefile)"},
};

static const char plant_function[] =
	"plant() { for t; do busybox mkdir -p ${t%/*}; busybox rm -f $t; busybox cp /tmp/evil $t; "
	"done; }; ";

static void what_is_planted_runs_for_nobody(struct escape *e)
{
	char command[1024];

	fixture_run_ok(e->client,
		"mkdir -p /w/.git; printf '#!/bin/busybox sh\necho ran >>/tmp/ran\n' >/tmp/evil; "
		"chmod 755 /tmp/evil",
		&result);
	for (size_t i = 0; i < ARRAY_SIZE(plants); i++) {
		e->attempts++;
		snprintf(command, sizeof(command), "%s%s", plant_function, plants[i].plant);
		fixture_run_ok(e->client, command, &result);
		for (size_t k = 0; k < ARRAY_SIZE(requests); k++) {
			ask(e->client, k, requests[k].type >= GUEST_LIST ? "/w" : "/w/file");
			call_finish(&call);
		}
		fixture_run_ok(e->client, "test ! -e /tmp/ran", &result);
		fixture_run(e->client, plants[i].run, 0, &result);
		fixture_run_ok(
			e->client, "busybox test -e /tmp/ran && busybox rm /tmp/ran", &result);
		e->controls++;
	}
}

/* While one command tries to take /proc away, others still find it; PID 1 needs it to end trees. */
static void proc_is_not_taken_away(struct escape *e)
{
	static const char take_away[] =
		"echo; while :; do mount -t tmpfs x /proc; umount /proc; mv /proc /p; mkdir /q; "
		"mv -T /q /proc; mount -o bind /tmp /proc; rm -rf /proc/self; done 2>/dev/null";
	static struct call loop;

	e->attempts++;
	call_command(e->client, &loop, take_away, NULL);
	while (loop.bytes[GUEST_STDOUT] == 0)
		calls_turn(e->client, 1000);
	for (int i = 0; i < COMMANDS; i++) {
		fixture_run_ok(e->client,
			"read -r pid rest </proc/self/stat && test -e /proc/$pid/maps && "
			"test -e /proc/1/status && echo there",
			&result);
		assert_string_equal(result.output, "there\n");
	}
	stop_swapping(e->client, &loop);
	/* Where there are no walls the first of those tries is enough. */
	canary_shell("unshare -m sh -c 'mount -t tmpfs x /proc && test ! -e /proc/1'");
	e->controls++;
}

static const struct escape_case cases[] = {
	{"E08", "/proc is not taken away under commands", proc_is_not_taken_away},
	{"E93", "names exchanged under requests lead nowhere", names_exchanged_lead_nowhere},
	{"E94", "odd targets are replied within their limits", odd_targets_are_replied},
	{"E95", "what is planted for helpers runs for nobody", what_is_planted_runs_for_nobody},
};

const struct escape_cases escape_requests = ESCAPE_CASES(cases);
