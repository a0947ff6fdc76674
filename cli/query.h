/*
 * query.h - the supervisor's rows of sandboxes and pools, and what it says of a lease, waited for.
 */
#ifndef CLI_QUERY_H
#define CLI_QUERY_H
#include "proto/control.h"

struct control_client;
struct error;

/* row is a struct control_sandbox_row, control_pool_row or control_stat_row, as asked. */
typedef void (*query_row_fn)(void *arg, const struct message_header *row);

/*
 * Over a connection of its own to DIRECTORY/control.sock. type: CONTROL_LIST, CONTROL_POOLS or CONTROL_STATS. Calls
 * on_row for each row. 0 or -errno.
 */
int query_rows(
	const char *directory, uint16_t type, query_row_fn on_row, void *arg, struct error *err);

/* The pool of this name, or of this image, or with an empty name the first. -ENOENT when there is none. */
int query_pool(const char *directory, const char *name, struct control_pool_row *ret_row,
	struct error *err);

/* 0: the row is of a leased sandbox. -ESRCH: of another, or its type is 0 and there is no sandbox of this id. */
int query_check_leased(const struct control_sandbox_row *row, uint64_t id, struct error *err);

/*
 * Ask something about somebody's lease, whose row is of a leased sandbox: complete request, which begins as a
 * struct control_lease and has size bytes, send it as a message of this type and keep ret_size bytes of the
 * answer. 0 or -errno: -ESRCH nobody leases it any more, -EACCES this user may not, -EOPNOTSUPP.
 */
int query_call(struct control_client *client, const struct control_sandbox_row *row, uint16_t type,
	void *request, uint32_t size, void *ret_answer, uint32_t ret_size, struct error *err);

/* The same of sandbox id, over a connection of its own. -ESRCH also: it is not leased, or there is none. */
int query_lease(const char *directory, uint64_t id, uint16_t type, void *request, uint32_t size,
	void *ret_answer, uint32_t ret_size, struct error *err);
#endif
