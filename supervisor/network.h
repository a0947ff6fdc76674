/*
 * network.h - the supervisor's end of hearth-network: its process, its link, what it was asked.
 *
 * Asynchronous: a request is sent at once, its answer comes by callback from the loop. Nothing of the
 * instance's networks outlives this process, so its loss, a broken answer, or none for
 * NETWORK_TIMEOUT_MS ends the supervisor (supervisor_fail()).
 *
 * Of slots (slots.h): before a builder makes one, its namespace is asked for here and passed on; its
 * profile is asked for when the next sandbox wants another one, beside the build; after a tenant
 * it is flushed before it is free again. A slot used again for the same pool costs nothing here but that.
 */
#ifndef SUPERVISOR_NETWORK_H
#define SUPERVISOR_NETWORK_H
#include <stdbool.h>
#include <stdint.h>

#include "nsjail-lite/network/network_link.h"

struct client;
struct error;
struct network;
struct sandbox;
struct supervisor;

#define NETWORK_TIMEOUT_MS	    10000
#define NETWORK_START_TIMEOUT_MS    30000
#define NETWORK_QUEUE_MAX	    (4u << 20) /* bytes on their way to it */
#define NETWORK_CLIENT_REQUESTS_MAX 64	       /* of all clients together, without an answer */
#define NETWORK_REQUESTS_PER_CLIENT 8	       /* likewise, of one connection */
#define NETWORK_FLUSH_AGAIN_MS	    1000       /* after a flush that failed */

/* Not started. 0 or -ENOMEM. */
int network_create(struct supervisor *supervisor, struct network **ret_network, struct error *err);
/* Start the process; what is asked of it from now on waits until it has STARTED. */
int network_start(struct network *network, struct error *err);
/* The end of its link: it removes what it made and exits. Waits NETWORK_STOP_MS at most. Accepts NULL. */
void network_destroy(struct network *network);
#define NETWORK_STOP_MS (NETWORK_LINKS_END_MS + 3000)

/* The sandbox's slot gets its namespace: builder_link_make_slot() or builder_link_build_failed() follows. */
void network_make_slot(struct network *network, const struct sandbox *sandbox);

/*
 * The slot, in which nothing of a tenant's has run since it was flushed, gets that profile, unless it is
 * its own already: sandbox_profile_answered() follows then.
 */
void network_want_profile(struct network *network, uint32_t slot, enum network_profile profile);

/* A tenant of it is proven dead. */
void network_flush(struct network *network, uint32_t slot);
/* Those of a lost builder, once its replacement has started. */
void network_flush_left(struct network *network);

/*
 * For a client: the slot gets that profile; its state. NULL in place of an answer: it cannot, for the reason
 * in why. Not called when the client has left before. False: too many are asked already.
 */
typedef void (*network_answer_fn)(struct client *client, uint32_t request_id, uint64_t sandbox,
	const struct message_header *answer, const char *why);
bool network_set_profile_for(struct network *network, const struct sandbox *sandbox,
	enum network_profile profile, struct client *client, uint32_t request_id,
	network_answer_fn on_answer);
bool network_inspect_for(struct network *network, const struct sandbox *sandbox,
	struct client *client, uint32_t request_id, network_answer_fn on_answer);
/* The client leaves. */
void network_forget_client(struct network *network, const struct client *client);
#endif
