/*
 * jail_calls.h - requests to a sandbox's guest, many at once, for system tests.
 *
 * A call counts its replies, keeps the first of its output and a digest of all of it. Beside
 * jail_fixture.h, whose fixture_run() does for one command.
 */
#ifndef TESTS_SYSTEM_JAIL_CALLS_H
#define TESTS_SYSTEM_JAIL_CALLS_H
#include "base/hash.h"
#include "proto/guest_client.h"

#define CALL_OUTPUT_MAX 65536
#define CALL_STREAMS	4 /* by enum guest_stream */

struct call {
	struct guest_request *request; /* NULL once replied */
	struct guest_reply reply;
	unsigned replies;
	char *output; /* of all streams, terminated; cut at CALL_OUTPUT_MAX; NULL: none came */
	size_t size;
	unsigned pieces; /* that it came in */
	uint64_t bytes[CALL_STREAMS], hashes[CALL_STREAMS];
	const char *input; /* borrowed */
	size_t input_size, input_sent;
	bool has_input;
};

/* Each asserts that the request was taken, after waiting until there is room for it. */
void call_command(struct guest_client *client, struct call *call, const char *command,
	const struct guest_exec_options *options);
void call_file(struct guest_client *client, struct call *call,
	const struct guest_file_options *options, const void *input, size_t input_size);

/* Send and receive what is possible now. */
void calls_turn(struct guest_client *client, int wait_ms);
/* Until nothing is in flight; fails the test when that takes more than a minute. */
void calls_wait(struct guest_client *client);
/* Until this one is replied, likewise. */
void call_wait(struct guest_client *client, struct call *call);
void call_finish(struct call *call);
#endif
