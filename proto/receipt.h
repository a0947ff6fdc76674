/*
 * receipt.h - what a command or a lease has used, and the limits that it hit, as JSON.
 *
 * docs/rpc.md has the members.
 */
#ifndef PROTO_RECEIPT_H
#define PROTO_RECEIPT_H
#include <jansson.h>

#include "proto/guest.h"
#include "proto/limit_text.h"

json_t *receipt_of_reply(const struct guest_reply *reply);
json_t *receipt_of_lease(const struct control_receipt *receipt, const struct limit_values *values);

/*
 * What a lease has of its own: net, hostname, bind_us (0: nothing was bound), and workspace: null, or id,
 * limit_bytes (0: none), is_soft.
 */
json_t *receipt_of_binding(const struct control_leased *lease);

/* A set of enum limit_hit: ["memory"]. */
json_t *receipt_limits(uint32_t limits);
/* The same for people: {"memory": "out of memory, limit 1 GiB"}. */
json_t *receipt_limit_texts(uint32_t limits, const struct limit_values *values);
#endif
