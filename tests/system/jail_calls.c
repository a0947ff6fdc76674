#include "tests/system/jail_calls.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "tests/system/patience.h"

#define WAIT_MS (60000 * patience())

static void on_output(void *arg, enum guest_stream stream, const void *data, uint32_t size)
{
	struct call *call = arg;
	size_t room = CALL_OUTPUT_MAX - call->size;
	size_t n = size < room ? size : room;

	assert_int_equal(call->replies, 0);
	if (!call->output)
		call->output = calloc(1, CALL_OUTPUT_MAX + 1);
	assert_non_null(call->output);
	memcpy(call->output + call->size, data, n);
	call->size += n;
	call->pieces++;
	call->bytes[stream] += size;
	call->hashes[stream] = hash_more(call->hashes[stream], data, size);
}

static void on_reply(void *arg, const struct guest_reply *reply)
{
	struct call *call = arg;

	call->reply = *reply;
	call->replies++;
	call->request = NULL;
}

/* As much of the input as is welcome; its end with the last of it. */
static void feed(struct call *call)
{
	while (call->request && call->has_input) {
		size_t left = call->input_size - call->input_sent;
		uint32_t credit = guest_request_credit(call->request);
		uint32_t size = left < GUEST_CHUNK_MAX ? (uint32_t)left : GUEST_CHUNK_MAX;

		size = size < credit ? size : credit;
		if (size == 0 && left > 0)
			return;
		assert_int_equal(guest_request_input(call->request, call->input + call->input_sent,
					 size, size == left),
			0);
		call->input_sent += size;
		call->has_input = size < left;
	}
}

static void on_credit(void *arg)
{
	feed(arg);
}

static struct guest_callbacks prepare(struct call *call, const void *input, size_t input_size)
{
	memset(call, 0, sizeof(*call));
	call->input = input;
	call->input_size = input_size;
	call->has_input = input != NULL;
	for (int i = 0; i < CALL_STREAMS; i++)
		call->hashes[i] = HASH_START;
	return (struct guest_callbacks){on_output, on_credit, on_reply, call};
}

void call_command(struct guest_client *client, struct call *call, const char *command,
	const struct guest_exec_options *options)
{
	const char *const argv[] = {"sh", "-c", command, NULL};
	struct guest_exec_options o = options ? *options : (struct guest_exec_options){0};
	const struct guest_callbacks callbacks = prepare(call, NULL, 0);
	struct error err = {0};
	int r;

	o.argv = argv;
	while ((r = guest_client_exec(client, &o, &callbacks, &call->request, &err)) == -EBUSY)
		calls_turn(client, (int)WAIT_MS);
	if (r < 0)
		fail_msg("%s: %s", command, err.text);
}

void call_file(struct guest_client *client, struct call *call,
	const struct guest_file_options *options, const void *input, size_t input_size)
{
	const struct guest_callbacks callbacks = prepare(call, input, input_size);
	struct error err = {0};
	int r;

	while ((r = guest_client_file(client, options, &callbacks, &call->request, &err)) == -EBUSY)
		calls_turn(client, (int)WAIT_MS);
	if (r < 0)
		fail_msg("request %u of %.60s: %s", options->type, options->path, err.text);
	feed(call);
}

void calls_turn(struct guest_client *client, int wait_ms)
{
	struct pollfd p = {.fd = guest_client_fd(client), .events = POLLIN};
	struct error err = {0};

	if (guest_client_wants_write(client))
		p.events |= POLLOUT;
	assert_true(poll(&p, 1, wait_ms) >= 0);
	if (guest_client_process(client, &err) < 0)
		fail_msg("the sandbox is lost: %s", err.text);
}

void calls_wait(struct guest_client *client)
{
	uint64_t until = clock_now_ms() + WAIT_MS;

	while (guest_client_in_flight(client) > 0) {
		if (clock_now_ms() > until)
			fail_msg("%u requests have no reply", guest_client_in_flight(client));
		calls_turn(client, 1000);
	}
}

void call_wait(struct guest_client *client, struct call *call)
{
	uint64_t until = clock_now_ms() + WAIT_MS;

	while (call->replies == 0) {
		assert_true(clock_now_ms() < until);
		calls_turn(client, 1000);
	}
}

void call_finish(struct call *call)
{
	free(call->output);
	call->output = NULL;
}
