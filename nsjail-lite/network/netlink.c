#include "nsjail-lite/network/netlink.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/error.h"

#define PURGE_ROUNDS 512 /* of up to NETLINK_MESSAGES_MAX each */

/* What is known of an exchange that goes on. */
struct exchange {
	const struct netlink_batch *batch;
	netlink_callback *callback;
	void *arg;
	bool is_over;
	int result; /* the first failure */
	struct error *err;
};

int netlink_open(int protocol, struct error *err)
{
	auto_close int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	const int on = 1;

	/* A failure shall not bring the message back with it. */
	if (fd < 0 || setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on)) < 0)
		return error_errno(err, "netlink socket %d", protocol);
	return take_fd(&fd);
}

void netlink_clear(struct netlink_batch *batch)
{
	batch->first_sequence += batch->count;
	batch->count = 0;
	batch->last = NULL;
}

void *netlink_add(struct netlink_batch *batch, const char *what, uint16_t type, uint16_t flags,
	size_t extra_size)
{
	char *end = batch->last ? mnl_nlmsg_get_payload_tail(batch->last) : batch->bytes;
	struct nlmsghdr *message = mnl_nlmsg_put_header(end);

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | flags;
	message->nlmsg_seq = batch->first_sequence + batch->count;
	batch->what[batch->count++] = what;
	batch->last = message;
	return mnl_nlmsg_put_extra_header(message, extra_size);
}

static void on_error(struct exchange *x, int code, uint32_t sequence)
{
	uint32_t place = sequence - x->batch->first_sequence;

	if (place >= x->batch->count)
		return; /* of an earlier exchange that was given up */
	if (sequence == x->batch->last->nlmsg_seq)
		x->is_over = true;
	if (code == 0 || code == x->batch->ignored || x->result < 0)
		return;
	errno = code;
	x->result = error_errno(x->err, "%s", x->batch->what[place]);
}

static void on_message(struct exchange *x, const struct nlmsghdr *message)
{
	int r;

	if (message->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(message);

		on_error(x, -e->error, message->nlmsg_seq);
	} else if (message->nlmsg_type == NLMSG_DONE) {
		const int *code = mnl_nlmsg_get_payload(message);

		on_error(x, *code < 0 ? -*code : 0, message->nlmsg_seq);
	} else if (message->nlmsg_seq == x->batch->last->nlmsg_seq && x->callback) {
		r = x->callback(x->arg, message);
		if (r < 0 && x->result == 0)
			x->result = r;
	}
}

/*
 * The kernel has answered before send() returns, and fills the next part of a dump while we read one: a
 * read that would wait has lost something.
 */
static int receive(int fd, struct exchange *x)
{
	char buffer[32768] __attribute__((aligned(4))); /* the most that the kernel puts together */

	while (!x->is_over) {
		ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
		int left = (int)n;

		if (n < 0)
			return error_errno(x->err, "%s: no answer", x->batch->what[0]);
		for (const struct nlmsghdr *m = (const void *)buffer; mnl_nlmsg_ok(m, left);
			m = mnl_nlmsg_next(m, &left))
			on_message(x, m);
	}
	return x->result;
}

int netlink_exchange(int fd, struct netlink_batch *batch, netlink_callback *callback, void *arg,
	struct error *err)
{
	struct exchange x = {.batch = batch, .callback = callback, .arg = arg, .err = err};
	size_t size;

	if (batch->count == 0)
		return 0;
	if ((batch->last->nlmsg_flags & NLM_F_DUMP) != NLM_F_DUMP)
		batch->last->nlmsg_flags |= NLM_F_ACK;
	size = (size_t)((char *)mnl_nlmsg_get_payload_tail(batch->last) - batch->bytes);
	if (send(fd, batch->bytes, size, 0) < 0)
		return error_errno(err, "%s: send", batch->what[0]);
	return receive(fd, &x);
}

int netlink_purge(int fd, struct netlink_batch *dump, netlink_callback *callback,
	struct netlink_batch *deletions, struct error *err)
{
	deletions->ignored = ENOENT;
	for (int i = 0; i < PURGE_ROUNDS; i++) {
		int r;

		netlink_clear(deletions);
		r = netlink_exchange(fd, dump, callback, deletions, err);
		if (r < 0 || deletions->count == 0)
			return r;
		r = netlink_exchange(fd, deletions, NULL, NULL, err);
		if (r < 0)
			return r;
	}
	return error_set(err, EBUSY, "%s: without end", dump->what[0]);
}

static const struct nlattr *find(const struct nlattr *first, const void *end, uint16_t type)
{
	for (const struct nlattr *a = first;
		mnl_attr_ok(a, (int)((const char *)end - (const char *)a)); a = mnl_attr_next(a))
		if (mnl_attr_get_type(a) == type)
			return a;
	return NULL;
}

const struct nlattr *netlink_find(const struct nlmsghdr *message, size_t extra_size, uint16_t type)
{
	return find(mnl_nlmsg_get_payload_offset(message, extra_size),
		mnl_nlmsg_get_payload_tail(message), type);
}

const struct nlattr *netlink_find_nested(const struct nlattr *nest, uint16_t type)
{
	const char *payload;

	if (!nest)
		return NULL;
	payload = mnl_attr_get_payload(nest);
	return find((const void *)payload, payload + mnl_attr_get_payload_len(nest), type);
}

void netlink_copy(struct netlink_batch *batch, const struct nlattr *attribute)
{
	if (attribute)
		mnl_attr_put_check(batch->last, NETLINK_MESSAGE_BYTES, attribute->nla_type,
			mnl_attr_get_payload_len(attribute), mnl_attr_get_payload(attribute));
}
