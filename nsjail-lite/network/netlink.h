/*
 * netlink.h - many netlink messages in one send, and what the kernel answers.
 *
 * The kernel works through the messages of a batch in order, within the send; one that fails does not stop
 * those after it. Only the last is acknowledged, so a batch costs one send and one receive when all is well.
 */
#ifndef NSJAIL_LITE_NETWORK_NETLINK_H
#define NSJAIL_LITE_NETWORK_NETLINK_H
#include <stddef.h>
#include <stdint.h>

struct error;
struct nlattr;
struct nlmsghdr;

#define NETLINK_MESSAGES_MAX  256 /* of a batch */
#define NETLINK_MESSAGE_BYTES 384 /* of each: see netlink_add() */

struct netlink_batch {
	int ignored;		 /* errno that is no failure of a message; 0: none */
	uint32_t first_sequence; /* of the messages: their place is added to it */
	unsigned count;
	struct nlmsghdr *last;
	const char *what[NETLINK_MESSAGES_MAX]; /* each message, for people */
	char bytes[NETLINK_MESSAGES_MAX * NETLINK_MESSAGE_BYTES] __attribute__((aligned(4)));
};

/* Gets a message that is no acknowledgement; negative ends the exchange. */
typedef int netlink_callback(void *arg, const struct nlmsghdr *message);

/* A socket in the current network namespace. fd or -errno. */
int netlink_open(int protocol, struct error *err);

void netlink_clear(struct netlink_batch *batch);

/*
 * Begin a message: batch->last, to which libmnl puts attributes until the next call; all of it must fit
 * NETLINK_MESSAGE_BYTES. Returns its fixed header, zeroed. At most NETLINK_MESSAGES_MAX in a batch.
 */
void *netlink_add(struct netlink_batch *batch, const char *what, uint16_t type, uint16_t flags,
	size_t extra_size);

/*
 * Send the batch, which stays as it is, and read until its last message is acknowledged or, if that is a
 * dump, done. Other messages go to the callback, which may be NULL. 0, or -errno of the first failure. An empty
 * batch is not sent.
 */
int netlink_exchange(int fd, struct netlink_batch *batch, netlink_callback *callback, void *arg,
	struct error *err);

/*
 * Send dump; its callback gets deletions as its arg and adds what has to go (what there is no room for comes
 * in the next round); send these; again, until there is nothing to delete. What is gone already is no failure.
 */
int netlink_purge(int fd, struct netlink_batch *dump, netlink_callback *callback,
	struct netlink_batch *deletions, struct error *err);

/* The attribute of that type behind the fixed header, or in another one, which may be NULL; NULL: none. */
const struct nlattr *netlink_find(const struct nlmsghdr *message, size_t extra_size, uint16_t type);
const struct nlattr *netlink_find_nested(const struct nlattr *nest, uint16_t type);

/* The same attribute for the message that is being put together, unless it is NULL. */
void netlink_copy(struct netlink_batch *batch, const struct nlattr *attribute);
#endif
