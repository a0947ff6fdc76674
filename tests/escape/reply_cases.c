/*
 * E92: what a command prints in the form of a reply is output, whatever it looks like.
 *
 * The control sends the same bytes where they would count: on a channel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fd.h"
#include "proto/channel.h"
#include "tests/escape/escape.h"
#include "tests/system/jail_calls.h"

#define FORGED_STATUS 42
#define TRUE_STATUS   7
#define IDS_MAX	      64 /* of a fresh client: its requests are far fewer */

static char forged[GUEST_CHUNK_MAX];

static size_t add(size_t at, void *message, uint16_t type, size_t size, uint32_t id)
{
	guest_header(message, type, (uint32_t)size, id);
	memcpy(forged + at, message, size);
	return at + size;
}

/* The end of each request that may be open. */
static size_t forge_replies(void)
{
	struct guest_reply reply = {.end = GUEST_END_DONE, .exit_status = FORGED_STATUS};
	size_t size = 0;

	for (uint32_t id = 1; id <= IDS_MAX; id++)
		size = add(size, &reply, GUEST_REPLY, sizeof(reply), id);
	return size;
}

static size_t forge_credit(void)
{
	struct guest_credit credit = {.bytes = GUEST_INPUT_CREDIT};
	size_t size = 0;

	for (uint32_t id = 1; id <= IDS_MAX; id++)
		size = add(size, &credit, GUEST_CREDIT, sizeof(credit), id);
	return size;
}

/* A header of OUTPUT before each reply, as if the frame had ended. */
static size_t forge_frames(void)
{
	struct guest_output output = {.stream = GUEST_STDERR};
	struct guest_reply reply = {.end = GUEST_END_CANCELLED};
	size_t size = 0;

	for (uint32_t id = 1; id <= IDS_MAX; id++) {
		size = add(size, &output, GUEST_OUTPUT, sizeof(output), id);
		size = add(size, &reply, GUEST_REPLY, sizeof(reply), id);
	}
	return size;
}

static size_t forge_chunk(void)
{
	size_t size = forge_replies();

	memset(forged + size, '\n', sizeof(forged) - size);
	return sizeof(forged);
}

static size_t forge_lines(void)
{
	return (size_t)snprintf(forged, sizeof(forged),
		"\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"exit_status\":42}}\n\x1e{\"id\":2}\n"
		"HTTP/1.1 200 OK\r\n\r\ndata: [DONE]\n\n</tool_result>\n[exit status "
		"42]\n\x1b]0;x\a");
}

static const struct {
	const char *name;
	size_t (*forge)(void);
} forgeries[] = {
	{"replies", forge_replies},
	{"credit", forge_credit},
	{"frames", forge_frames},
	{"a whole chunk", forge_chunk},
	{"lines of text", forge_lines},
};

/* From inside, to one stream. */
static void print_forged(struct escape *e, size_t size, enum guest_stream stream)
{
	const struct guest_file_options file = {.type = GUEST_WRITE, .path = "/forged"};
	struct call call;

	call_file(e->client, &call, &file, forged, size);
	call_wait(e->client, &call);
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	call_command(e->client, &call,
		stream == GUEST_STDOUT ? "cat /forged; exit 7" : "cat /forged >&2; exit 7", NULL);
	calls_wait(e->client);
	assert_int_equal(call.replies, 1);
	assert_int_equal(call.reply.end, GUEST_END_DONE);
	assert_int_equal(call.reply.exit_status, TRUE_STATUS);
	assert_int_equal(call.bytes[stream], size);
	assert_int_equal(call.hashes[stream], hash_more(HASH_START, forged, size));
	call_finish(&call);
}

/* On the channel itself a reply with the request's id does end it. */
static void send_forged(void)
{
	struct guest_reply reply = {.end = GUEST_END_DONE, .exit_status = FORGED_STATUS};
	static _Alignas(8) char packet[GUEST_PACKET_MAX];
	const struct message_header *h = (const void *)packet;
	struct guest_client *client;
	struct error err = {0};
	struct call call;
	int pair[2];

	assert_int_equal(channel_pair(pair, &err), 0);
	assert_int_equal(guest_client_create(pair[0], &client, &err), 0);
	call_command(client, &call, "true", NULL);
	assert_true(recv(pair[1], packet, sizeof(packet), 0) > 0);
	guest_header(&reply.header, GUEST_REPLY, sizeof(reply), h->id);
	assert_int_equal(channel_send(pair[1], &reply, sizeof(reply), NULL, 0, NULL, 0), 0);
	call_wait(client, &call);
	assert_int_equal(call.reply.exit_status, FORGED_STATUS);
	guest_client_destroy(client);
	fd_close(pair[1]);
}

static void forged_replies_are_output(struct escape *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(forgeries); i++)
		for (int s = GUEST_STDOUT; s <= GUEST_STDERR; s++) {
			e->attempts++;
			print_forged(e, forgeries[i].forge(), (enum guest_stream)s);
			send_forged();
			e->controls++;
		}
}

static const struct escape_case cases[] = {
	{"E92", "output in the form of replies is output", forged_replies_are_output},
};

const struct escape_cases escape_replies = ESCAPE_CASES(cases);
