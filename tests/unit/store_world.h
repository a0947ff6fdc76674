/*
 * store_world.h - a store in a directory of its own, asked as if it answered at once.
 *
 * JSON is written with ' for ". What a helper gives back belongs to the world, until it is torn down.
 */
#ifndef TESTS_UNIT_STORE_WORLD_H
#define TESTS_UNIT_STORE_WORLD_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <sqlite3.h>

#include "agentd/store/store.h"
#include "base/error.h"

#define WORLD_FILE "agent.db"
#define WORLD_LOG  WORLD_FILE "-wal"

struct world {
	char path[64];
	int dir_fd;
	struct event_base *base;
	struct store *store;
	json_t *kept;

	/* Of the last operation. */
	bool is_answered;
	int r;
	json_t *result; /* NULL: none was given */
	struct error err;
};

/* Instead of fsync() and fdatasync(): no power fails here, so what would be slow is left out. NULL: nothing is done. */
extern int (*world_sync)(void);

/* cmocka's fixtures: an open store, and one that is not open yet. */
int world_set_up(void **state);
int world_set_up_closed(void **state);
int world_tear_down(void **state);

int world_try_open(struct world *w);
void world_open(struct world *w);
void world_close(struct world *w);
/* Closes and opens it. */
void world_reopen(struct world *w);

/* Takes what an operation's call has returned, which must be 0; its result once it has been answered. */
int world_wait(struct world *w, int asked);
/* A store_done_fn, whose arg is the world. */
void world_done(void *arg, int r, json_t *result, const struct error *err);

/* Its reference becomes the world's. */
json_t *world_keep(struct world *w, json_t *value);
json_t *world_json(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Of the last result, every member that is named here is so. Arrays have this length. */
void world_expect(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The last operation failed so, and says this. */
void world_expect_error(struct world *w, int r, const char *part);

void world_create_session(struct world *w, const char *id);
/* With one message of the user. */
void world_begin_run(struct world *w, const char *id, const char *session);
/* With two calls, "c1" of bash and "c2" of read. */
void world_commit_turn(struct world *w, const char *run, uint32_t turn);

/* A write of a whole file below the world's directory, and its size. */
void world_write_file(struct world *w, const char *name, const void *data, size_t size);
size_t world_file_size(struct world *w, const char *name);
bool world_has_file(struct world *w, const char *name);

struct world_copy {
	char *data;
	size_t size;
};

/* data is the caller's to free. */
struct world_copy world_copy_file(struct world *w, const char *name);
/* It is as the copy, which is freed. */
void world_file_is(struct world *w, const char *name, struct world_copy copy);

/* The file as another program has it, and what such a program does with it. */
sqlite3 *world_open_plainly(struct world *w);
void world_run_plainly(struct world *w, const char *sql);
/* The store does not open, for this reason. */
void world_is_refused(struct world *w, int r, const char *part);

#define ASK(w, function, ...) world_wait(w, function((w)->store, ##__VA_ARGS__, world_done, w))
#endif
