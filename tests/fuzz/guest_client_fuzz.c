/*
 * Any bytes as what a guest sends to a client with requests in flight: packets, each behind two bytes
 * of its length. Whatever comes, each request gets one reply.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "proto/channel.h"
#include "proto/guest_client.h"
#include "tests/fuzz/fuzz.h"

#define REQUESTS                                                                                   \
	5 /* ids 1..5: EXEC with stdin, READ, WRITE, EXEC on a pty, EXEC with its stdout passed */

static unsigned replies[REQUESTS];

static void on_output(void *arg, enum guest_stream stream, const void *data, uint32_t size)
{
	const unsigned *reply = arg;

	(void)data;
	if (*reply || size == 0 || size > GUEST_CHUNK_MAX ||
		(stream == GUEST_DATA) != (reply == &replies[1]) ||
		(stream == GUEST_STDOUT && reply == &replies[4]))
		abort();
}

static void on_credit(void *arg)
{
	const unsigned *reply = arg;

	if (*reply || (reply != &replies[0] && reply != &replies[2]))
		abort();
}

static void on_reply(void *arg, const struct guest_reply *reply)
{
	++*(unsigned *)arg;
	if (strlen(reply->text) >= sizeof(reply->text) || reply->end > GUEST_END_LOST)
		abort();
}

static void start(struct guest_client *client)
{
	static const char *const argv[] = {"cat", NULL};
	const struct guest_exec_options exec = {.argv = argv, .flags = GUEST_EXEC_STDIN};
	const struct guest_exec_options pty = {.argv = argv, .flags = GUEST_EXEC_PTY};
	const struct guest_file_options read = {.type = GUEST_READ, .path = "a"};
	const struct guest_file_options write = {.type = GUEST_WRITE, .path = "a"};
	auto_close int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	const struct guest_exec_options passed = {
		.argv = argv, .flags = GUEST_EXEC_FD_STDOUT, .stdio = {-1, null, -1}};
	struct guest_callbacks callbacks[REQUESTS];

	for (int i = 0; i < REQUESTS; i++) {
		replies[i] = 0;
		callbacks[i] =
			(struct guest_callbacks){on_output, on_credit, on_reply, &replies[i]};
	}
	if (guest_client_exec(client, &exec, &callbacks[0], NULL, NULL) < 0 ||
		guest_client_file(client, &read, &callbacks[1], NULL, NULL) < 0 ||
		guest_client_file(client, &write, &callbacks[2], NULL, NULL) < 0 ||
		guest_client_exec(client, &pty, &callbacks[3], NULL, NULL) < 0 ||
		guest_client_exec(client, &passed, &callbacks[4], NULL, NULL) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct guest_client *client;
	int ends[2];

	if (channel_pair(ends, NULL) < 0 || guest_client_create(ends[0], &client, NULL) < 0)
		return 0;
	start(client);
	while (size >= 2) {
		size_t length = (size_t)data[0] << 8 | data[1];

		data += 2;
		size -= 2;
		if (length > size)
			length = size;
		/* Each is handled before the next, so that the socket always has room. */
		channel_send(ends[1], data, length, NULL, 0, NULL, 0);
		if (guest_client_process(client, NULL) < 0)
			break;
		data += length;
		size -= length;
	}
	fd_close(ends[1]);
	while (guest_client_process(client, NULL) == 0)
		;
	if (guest_client_in_flight(client) != 0)
		abort();
	guest_client_destroy(client);
	for (int i = 0; i < REQUESTS; i++)
		if (replies[i] != 1)
			abort();
	return 0;
}
