/* What waits: requests in the guest's queue, a guest whose client does not read. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "proto/channel.h"
#include "proto/control.h"
#include "tests/unit/guest_child.h"

#define WAIT_MS	     20000
#define STALL_MS     100
#define LONG_PATH    (GUEST_ARGUMENTS_MAX - 1)
#define GUEST_RSS_KB 32768 /* with the sanitizers' own; the output alone is twice that */

static struct guest_child child;
static struct call call;
static char packet[GUEST_PACKET_MAX];

static int set_up(void **state)
{
	(void)state;
	guest_child_start(&child);
	return 0;
}

static int set_up_raw(void **state)
{
	(void)state;
	guest_child_start_raw(&child);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	guest_child_stop(&child);
	call_finish(&call);
	return 0;
}

static void send_file(uint32_t id, uint16_t type, const char *path)
{
	struct guest_file head = {0};
	size_t size = strlen(path) + 1;

	guest_header(&head.header, type, (uint32_t)(sizeof(head) + size), id);
	assert_int_equal(channel_send(child.channel, &head, sizeof(head), path, size, NULL, 0), 0);
}

static void send_shell(uint32_t id, const char *script)
{
	struct guest_exec head = {.argc = 3};
	char payload[512];
	int size = snprintf(payload, sizeof(payload), "sh%c-c%c%s%c", 0, 0, script, 0) + 1;

	guest_header(&head.header, GUEST_EXEC, (uint32_t)(sizeof(head) + (size_t)size), id);
	assert_int_equal(
		channel_send(child.channel, &head, sizeof(head), payload, (size_t)size, NULL, 0),
		0);
}

static void send_cancel(uint32_t id)
{
	struct guest_cancel cancel;

	guest_header(&cancel.header, GUEST_CANCEL, sizeof(cancel), id);
	assert_int_equal(channel_send(child.channel, &cancel, sizeof(cancel), NULL, 0, NULL, 0), 0);
}

static void send_end(uint32_t id)
{
	struct guest_input input = {.is_end = 1};

	guest_header(&input.header, GUEST_INPUT, sizeof(input), id);
	assert_int_equal(channel_send(child.channel, &input, sizeof(input), NULL, 0, NULL, 0), 0);
}

/* The next REPLY; other packets are passed over. */
static struct guest_reply receive_reply(void)
{
	struct pollfd p = {.fd = child.channel, .events = POLLIN};
	struct message_header *header = (void *)packet;
	struct guest_reply reply;
	int fds[CHANNEL_FDS_MAX];
	size_t count;

	do {
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		assert_true(
			channel_receive(child.channel, packet, sizeof(packet), fds, &count) > 0);
	} while (header->type != GUEST_REPLY);
	memcpy(&reply, packet, sizeof(reply));
	return reply;
}

/* WRITEs that wait for their content: as many as run at once. */
static void fill_running(void)
{
	for (uint32_t id = 1; id <= GUEST_RUNNING_MAX; id++)
		send_file(id, GUEST_WRITE, "f");
}

static void requests_wait_in_order_while_so_many_run(void **state)
{
	struct guest_reply reply;

	(void)state;
	fill_running();
	send_file(100, GUEST_STAT, "/");
	send_file(101, GUEST_STAT, "/nowhere");
	send_end(7);
	reply = receive_reply();
	assert_int_equal(reply.header.id, 7);
	reply = receive_reply();
	assert_int_equal(reply.header.id, 100);
	assert_int_equal(reply.end, GUEST_END_DONE);
	reply = receive_reply();
	assert_int_equal(reply.header.id, 101);
	assert_int_equal(reply.error, ENOENT);
}

static void a_request_that_waits_can_be_cancelled(void **state)
{
	struct guest_reply reply;

	(void)state;
	fill_running();
	send_file(100, GUEST_STAT, "/");
	send_cancel(100);
	reply = receive_reply();
	assert_int_equal(reply.header.id, 100);
	assert_int_equal(reply.end, GUEST_END_CANCELLED);
	send_file(100, GUEST_STAT, "/"); /* the id is free again, and so is its place */
	send_end(1);
	assert_int_equal(receive_reply().header.id, 1);
	assert_int_equal(receive_reply().end, GUEST_END_DONE);
}

static void input_waits_with_its_request(void **state)
{
	struct guest_input input = {.is_end = 1};

	(void)state;
	fill_running();
	send_file(100, GUEST_WRITE, "late");
	guest_header(&input.header, GUEST_INPUT, sizeof(input) + 7, 100);
	assert_int_equal(
		channel_send(child.channel, &input, sizeof(input), "content", 7, NULL, 0), 0);
	send_end(1);
	assert_int_equal(receive_reply().header.id, 1);
	assert_int_equal(receive_reply().header.id, 100);
	assert_string_equal(guest_child_get(&child, "late"), "content");
}

static void one_request_too_many_is_told_so(void **state)
{
	struct guest_reply reply;

	(void)state;
	fill_running();
	for (uint32_t id = GUEST_RUNNING_MAX + 1; id <= GUEST_REQUESTS_MAX + 1; id++)
		send_file(id, GUEST_STAT, "/");
	reply = receive_reply();
	assert_int_equal(reply.header.id, GUEST_REQUESTS_MAX + 1);
	assert_int_equal(reply.end, GUEST_END_FAILED);
	assert_int_equal(reply.error, EBUSY);
	for (uint32_t id = 1; id <= GUEST_RUNNING_MAX; id++)
		send_cancel(id);
	for (uint32_t i = 0; i < GUEST_REQUESTS_MAX; i++)
		assert_int_not_equal(receive_reply().end, GUEST_END_FAILED);
}

static void more_bytes_than_may_wait_are_refused(void **state)
{
	static char path[LONG_PATH + 1];
	struct guest_reply reply;
	uint32_t id = GUEST_RUNNING_MAX;

	(void)state;
	memset(path, 'x', LONG_PATH);
	fill_running();
	for (uint32_t bytes = 0; bytes <= GUEST_QUEUED_MAX; bytes += GUEST_ARGUMENTS_MAX)
		send_file(++id, GUEST_STAT, path);
	reply = receive_reply();
	assert_in_range(reply.header.id, id - 1, id); /* the first that did not fit */
	assert_int_equal(reply.end, GUEST_END_FAILED);
	assert_int_equal(reply.error, EBUSY);
}

static pid_t wait_for_pid(const char *name)
{
	char path[GUEST_CHILD_PATH_MAX];
	pid_t pid = 0;

	snprintf(path, sizeof(path), "%s/%s", child.root, name);
	for (int i = 0; i < WAIT_MS && pid == 0; i++) {
		if (access(path, F_OK) == 0)
			pid = atoi(guest_child_get(&child, name));
		else
			usleep(1000);
	}
	assert_true(pid > 0);
	return pid;
}

static unsigned long long bytes_written(pid_t pid)
{
	unsigned long long bytes = 0;
	char path[64], line[128];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/io", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) && sscanf(line, "wchar: %llu", &bytes) != 1)
		;
	fclose(file);
	return bytes;
}

/* Until it writes no more, since nobody reads. */
static void wait_until_stalled(pid_t pid)
{
	unsigned long long bytes, before = 0;

	while ((bytes = bytes_written(pid)) == 0 || bytes != before) {
		before = bytes;
		usleep(STALL_MS * 1000);
	}
}

static void a_cancel_arrives_while_the_channel_is_full(void **state)
{
	pid_t idle, busy;

	(void)state;
	send_shell(1, "echo $$ >idle.new; mv idle.new idle; exec sleep 1000");
	idle = wait_for_pid("idle");
	send_shell(2, "echo $$ >busy.new; mv busy.new busy; exec yes");
	busy = wait_for_pid("busy");
	wait_until_stalled(busy);
	send_cancel(1);
	for (int i = 0; i < WAIT_MS && kill(idle, 0) == 0; i++)
		usleep(1000); /* and nothing is received meanwhile */
	assert_int_equal(kill(idle, 0), -1);
	assert_int_equal(kill(busy, 0), 0);
	send_cancel(2);
	for (uint32_t seen = 0; seen != 3;) {
		struct guest_reply reply = receive_reply();

		assert_int_equal(reply.end, GUEST_END_CANCELLED);
		seen |= reply.header.id;
	}
}

static long peak_kb(pid_t pid)
{
	char path[64], line[256];
	long kb = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) && sscanf(line, "VmHWM: %ld", &kb) != 1)
		;
	fclose(file);
	return kb;
}

static void output_that_is_read_late_arrives_whole_and_is_not_kept_in_memory(void **state)
{
	uint64_t digest = HASH_START;
	static const char zeroes[1 << 20];

	(void)state;
	call_command(child.client, &call,
		"echo $$ >busy.new; mv busy.new busy; exec head -c 67108864 /dev/zero", NULL);
	calls_turn(child.client, 0);
	wait_until_stalled(wait_for_pid("busy"));
	call_wait(child.client, &call);
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	assert_int_equal(call.reply.stdout_bytes, 64 << 20);
	assert_int_equal(call.bytes[GUEST_STDOUT], 64 << 20);
	for (int i = 0; i < 64; i++)
		digest = hash_more(digest, zeroes, sizeof(zeroes));
	assert_true(call.hashes[GUEST_STDOUT] == digest);
	assert_in_range(peak_kb(child.pid), 1, GUEST_RSS_KB);
}

#define with_client(f)	cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define with_channel(f) cmocka_unit_test_setup_teardown(f, set_up_raw, tear_down)

static void wait_for_file(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", child.root, name);
	for (int i = 0; i < WAIT_MS && access(path, F_OK) < 0; i++)
		usleep(1000);
	assert_int_equal(access(path, F_OK), 0);
}

/* The client does not read before the thief has done its work: when the command ends its pipe is full, whatever the channel took. */
static void bytes_that_somebody_else_has_read_are_not_waited_for(void **state)
{
	(void)state;
	call_command(child.client, &call,
		"(exec 5</proc/self/fd/1; while kill -0 $$ 2>/dev/null; do sleep 0.01; done; "
		"sleep 0.2; timeout 0.3 cat <&5 >/dev/null; echo >done; exec sleep 1000) & "
		"echo $! >thief; timeout 1 head -c 4000000 /dev/zero; true",
		NULL);
	calls_turn(child.client, 0);
	wait_for_file("done");
	call_wait(child.client, &call);
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	assert_int_equal(kill(atoi(guest_child_get(&child, "thief")), SIGKILL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_channel(requests_wait_in_order_while_so_many_run),
		with_channel(a_request_that_waits_can_be_cancelled),
		with_channel(input_waits_with_its_request),
		with_channel(one_request_too_many_is_told_so),
		with_channel(more_bytes_than_may_wait_are_refused),
		with_channel(a_cancel_arrives_while_the_channel_is_full),
		with_client(output_that_is_read_late_arrives_whole_and_is_not_kept_in_memory),
		with_client(bytes_that_somebody_else_has_read_are_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
