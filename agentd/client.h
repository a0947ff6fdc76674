/*
 * client.h - one connection of agentd.sock: lines in, lines out, and what it owns.
 *
 * Owns its calls in flight and the leases that it acquired; both end with it. A client that does not
 * read is bounded: beyond CLIENT_OUTPUT_HIGH neither its requests nor the output of the sandboxes
 * that work for it are read, until it has taken all but CLIENT_OUTPUT_LOW.
 */
#ifndef AGENTD_CLIENT_H
#define AGENTD_CLIENT_H
#include <jansson.h>
#include <stdbool.h>

#include "agentd/owner.h"
#include "base/list.h"
#include "proto/rpc.h"

#define CLIENT_CALLS_MAX	 1024
#define CLIENT_LEASES_MAX	 1024
#define CLIENT_LISTS_MAX	 16		    /* sandbox.list and pool.status under way */
#define CLIENT_HELD_MAX		 (32 * 1024 * 1024) /* bytes of requests under way */
#define CLIENT_INPUT_MAX	 (64 * 1024) /* read ahead; an unfinished line is RPC_LINE_MAX */
#define CLIENT_OUTPUT_HIGH	 (4 * 1024 * 1024)
#define CLIENT_OUTPUT_LOW	 (1024 * 1024)
#define CLIENT_STREAM_MAX	 (16 * 1024 * 1024) /* unread, while a stream sends more: it ends */
#define CLIENT_MESSAGES_PER_TURN 64		    /* then the others have their turn */
#define CLIENT_LINGER_S		 5 /* for a client that has ended to read what it asked for */

struct bufferevent;
struct server;

struct client {
	struct list in_server;
	struct server *server;
	struct bufferevent *stream;
	struct owner owner; /* of what it leases */
	struct rpc_decoder decoder;
	struct list calls; /* in flight */
	unsigned call_count;
	unsigned list_count;
	size_t held_bytes; /* of the calls' lines */
	size_t line_bytes; /* of the line that is being read */
	bool is_slow;
	bool is_closing; /* nothing is read any more; the rest of its output goes out */
};

/* Serve this connected socket, which becomes the client's also on failure. 0 or -errno. */
int client_create(struct server *server, int fd, const struct unix_socket_peer *peer);

/* Leases and calls end; it is gone when its output is, or does not move. */
void client_close(struct client *client);
/* The same, without waiting. */
void client_destroy(struct client *client);

/* Send one encoded line, which is freed. NULL: out of memory, which ends the connection. */
void client_send(struct client *client, char *line, size_t size);
/* Takes over params; NULL is dropped. 0 or -EMSGSIZE: it does not fit a line, and is not sent. */
int client_notify(struct client *client, const char *method, json_t *params);
/* Bytes of output that it has not taken. */
size_t client_unread(const struct client *client);

/* The call in flight with this id, or NULL. */
struct call *client_find_call(const struct client *client, const json_t *id);
#endif
