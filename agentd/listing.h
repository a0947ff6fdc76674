/*
 * listing.h - the supervisor's rows of sandboxes and pools, as JSON.
 */
#ifndef AGENTD_LISTING_H
#define AGENTD_LISTING_H
#include <jansson.h>

#include "proto/control.h"

#define LISTING_ROWS_MAX 4000 /* so that the answer stays below RPC_LINE_MAX */

struct error;
struct owner;
struct server;

/* rows are borrowed; total counts those beyond LISTING_ROWS_MAX too. refused (NULL: it is not): they are not all. */
typedef void (*listing_done_fn)(
	void *arg, json_t *rows, uint64_t total, const struct control_refused *refused);

/*
 * type: CONTROL_LIST or CONTROL_POOLS. owner (may be NULL): whose sandboxes are called "mine". 0, or -errno and done
 * will not be called: -EBUSY, -EPIPE agentd stops, -ENOMEM.
 */
int listing_start(struct server *server, uint16_t type, const struct owner *owner,
	listing_done_fn done, void *arg, struct error *err);
#endif
