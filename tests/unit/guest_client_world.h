/* guest_client_world.h - a guest client whose guest is the test itself, at the other end. */
#ifndef TESTS_UNIT_GUEST_CLIENT_WORLD_H
#define TESTS_UNIT_GUEST_CLIENT_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/error.h"
#include "proto/guest_client_private.h"

struct world;

/* One request as its owner sees it. */
struct asked {
	struct world *world;
	struct guest_request *request; /* NULL once replied */
	uint32_t id;
	unsigned outputs, credits, replies;
	uint32_t streams; /* set of 1 << stream that output came on */
	uint64_t output_bytes;
	char output[64]; /* the first of it */
	struct guest_reply reply;
	void (*react)(struct asked *asked); /* called from within each callback; may be NULL */
};

/* A packet that the guest has read. */
struct read_packet {
	struct message_header header;
	int fds[GUEST_EXEC_FDS_MAX]; /* the test's to close */
	size_t fd_count;
	_Alignas(uint64_t) char bytes[GUEST_PACKET_MAX];
};

struct world {
	struct guest_client *client;
	int guest; /* non-blocking */
	int fds_before;
	struct error err;
};

int world_set_up(void **state);
/* Fails when an fd has leaked. */
int world_tear_down(void **state);
int world_process(struct world *w);

extern const char *const world_true[]; /* an argv */

/* Start something; asked is zeroed first, but for react. */
int world_exec(struct world *w, uint32_t flags, struct asked *asked);
int world_exec_options(
	struct world *w, const struct guest_exec_options *options, struct asked *asked);
int world_file(struct world *w, uint16_t type, struct asked *asked);
int world_file_options(
	struct world *w, const struct guest_file_options *options, struct asked *asked);

/* The guest's end. Read: false when nothing is there; what is there must pass its check. */
bool world_read(struct world *w, struct read_packet *packet);
void world_expect(struct world *w, uint16_t type, uint32_t id, struct read_packet *packet);
void world_send_raw(struct world *w, const void *bytes, size_t size);
void world_output(struct world *w, uint32_t id, uint32_t stream, const void *data, size_t size);
void world_credit(struct world *w, uint32_t id, uint32_t bytes);
void world_reply(struct world *w, uint32_t id);

/* The guest has been given up: the request has one reply, LOST, and nothing more can be asked. */
void world_assert_lost(struct world *w, int code, const char *why, const struct asked *asked);

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
#endif
