/*
 * query.h - the supervisor's rows of sandboxes and pools, waited for.
 */
#ifndef CLI_QUERY_H
#define CLI_QUERY_H
#include "proto/control.h"

struct error;

/* row is a struct control_sandbox_row or control_pool_row, as asked. */
typedef void (*query_row_fn)(void *arg, const struct message_header *row);

/*
 * Over a connection of its own to DIRECTORY/control.sock. type: CONTROL_LIST or CONTROL_POOLS. Calls
 * on_row for each row. 0 or -errno.
 */
int query_rows(
	const char *directory, uint16_t type, query_row_fn on_row, void *arg, struct error *err);

/* The pool of this name, or of this image, or with an empty name the first. -ENOENT when there is none. */
int query_pool(const char *directory, const char *name, struct control_pool_row *ret_row,
	struct error *err);
#endif
