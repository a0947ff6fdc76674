/*
 * control.h - control.sock: who is let in, and how many at a time.
 */
#ifndef SUPERVISOR_CONTROL_H
#define SUPERVISOR_CONTROL_H
struct client;
struct control;
struct error;
struct supervisor;
struct unix_socket_peer;

#define CONTROL_SOCKET_NAME "control.sock"

/* listener is taken over in any case. */
int control_create(struct supervisor *supervisor, int listener, struct control **ret_control,
	struct error *err);
/* With all clients. Accepts NULL. */
void control_destroy(struct control *control);
/* Nobody is let in any more; the clients stay. */
void control_stop(struct control *control);

/* For client.c: it ends. */
void control_forget(struct control *control, struct client *client);
/* Log what a peer did wrong, at most one line a second; the next one says how many there were. */
void control_report_offence(
	struct control *control, const struct unix_socket_peer *peer, const char *why);
#endif
