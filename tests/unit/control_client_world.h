/* control_client_world.h - a control client whose supervisor is the test itself, at the other end. */
#ifndef TESTS_UNIT_CONTROL_CLIENT_WORLD_H
#define TESTS_UNIT_CONTROL_CLIENT_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/error.h"
#include "proto/control_client_private.h"

/* What the callbacks saw. */
struct seen {
	unsigned answers;
	unsigned last_answers;
	uint16_t types[CONTROL_PENDING_MAX + 16];
	uint32_t ids[CONTROL_PENDING_MAX + 16];
	struct control_refused refused; /* the latest */
	int fd;				/* the latest, closed at tear down */
	unsigned ended;
	struct control_lease_ended last_ended;
	unsigned frozen;
	unsigned receipts;
	struct control_receipt last_receipt;
};

struct world {
	struct control_client *client;
	int supervisor; /* non-blocking */
	int fds_before;
	struct seen seen;
	struct error err;
};

int world_set_up(void **state);
/* Fails when an fd has leaked. */
int world_tear_down(void **state);

/* A control_answer_fn; arg is the struct world. */
void world_on_answer(void *arg, const struct message_header *answer, int fd, bool is_last);
void world_on_ended(void *arg, const struct control_lease_ended *ended);
void world_on_frozen(void *arg, const struct control_lease_frozen *frozen);
void world_on_receipt(void *arg, const struct control_receipt *receipt);

/* Sends with world_on_answer(), and must be able to. */
void world_send(struct world *w, uint16_t type);
/* A request of this type with fields that are right. Returns its size. */
uint32_t world_request(uint16_t type, void *request);

/* What the supervisor reads: the header of a right request; false: nothing there. */
bool world_read(struct world *w, struct message_header *ret_header);
bool world_client_is_gone(struct world *w);

/* What the supervisor says: a right answer; LEASED gets an fd. */
void world_answer(struct world *w, uint16_t type, uint32_t id);
void world_answer_refused(
	struct world *w, uint32_t id, enum control_refusal refusal, const char *text);
void world_answer_raw(
	struct world *w, const void *message, uint32_t size, const int *fds, size_t fd_count);

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)
#endif
