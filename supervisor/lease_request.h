/*
 * lease_request.h - what may be asked of a lease by its handle, whoever holds it: KILL, NET, INSPECT.
 *
 * Root may ask it of any, everybody else of those of his own uid.
 */
#ifndef SUPERVISOR_LEASE_REQUEST_H
#define SUPERVISOR_LEASE_REQUEST_H
#include "proto/control.h"

struct client;

void lease_request_kill(struct client *client, const struct control_lease *m);
/* DONE once the profile is in force. */
void lease_request_net(struct client *client, const struct control_net *m);
/* Also of sandboxes that nobody has. */
void lease_request_inspect(struct client *client, const struct control_lease *m);
#endif
