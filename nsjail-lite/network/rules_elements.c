/*
 * rules_elements.c - elements of the table's sets: nfnetlink batches, each acknowledged as a whole.
 *
 * The kernel answers within sendmsg(2): what the socket does not hold then will never come, so nothing waits.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "nsjail-lite/network/netlink.h"
#include "nsjail-lite/network/rules_private.h"

/* The largest batch forgets DNS_ADMITTED_MAX pairs: twice 20 bytes each. */
#define BATCH_SIZE 65536
/* A pair may run out between the two messages that delete it: see rules_batch_commit(). */
#define TRIES 3

struct rules_batch {
	struct mnl_socket *socket;
	char table[RULES_TABLE_SIZE];
	uint32_t sequence;
	struct nlmsghdr *last; /* of the batch's messages */
	size_t size;
	_Alignas(8) char buffer[BATCH_SIZE];
	_Alignas(8) char answer[BATCH_SIZE];
};

struct rules_key rules_key_link(const char *link)
{
	struct rules_key key = {.size = IFNAMSIZ};

	strncpy((char *)key.bytes, link, IFNAMSIZ - 1);
	return key;
}

struct rules_key rules_key_address(uint32_t address)
{
	struct rules_key key = {.size = sizeof(address)};

	address = htonl(address);
	memcpy(key.bytes, &address, sizeof(address));
	return key;
}

struct rules_key rules_key_pair(struct rules_key first, struct rules_key second)
{
	memcpy(first.bytes + first.size, second.bytes, second.size);
	first.size += second.size;
	return first;
}

int rules_batch_create(const char *table, struct rules_batch **ret_batch, struct error *err)
{
	struct rules_batch *batch = calloc(1, sizeof(*batch));
	int on = 1;

	if (!batch)
		return error_set(err, ENOMEM, "nftables: out of memory");
	memcpy(batch->table, table, strlen(table) + 1);
	batch->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	/* A refusal does not repeat what it refuses. */
	if (!batch->socket || mnl_socket_bind(batch->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
		mnl_socket_setsockopt(batch->socket, NETLINK_CAP_ACK, &on, sizeof(on)) < 0) {
		int r = error_errno(err, "nftables: netlink socket");

		rules_batch_destroy(batch);
		return r;
	}
	*ret_batch = batch;
	return 0;
}

void rules_batch_destroy(struct rules_batch *batch)
{
	if (batch && batch->socket)
		mnl_socket_close(batch->socket);
	free(batch);
}

void rules_batch_begin(struct rules_batch *batch)
{
	batch->last = nftnl_batch_begin(batch->buffer, ++batch->sequence);
	batch->size = batch->last->nlmsg_len;
}

static void put_key(struct nlmsghdr *message, const struct rules_key *key)
{
	struct nlattr *nest = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);

	mnl_attr_put(message, NFTA_DATA_VALUE, key->size, key->bytes);
	mnl_attr_nest_end(message, nest);
}

static void put_goto(struct nlmsghdr *message, const char *chain)
{
	struct nlattr *data = mnl_attr_nest_start(message, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(message, NFTA_DATA_VERDICT);

	mnl_attr_put_u32(message, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_GOTO));
	mnl_attr_put_strz(message, NFTA_VERDICT_CHAIN, chain);
	mnl_attr_nest_end(message, verdict);
	mnl_attr_nest_end(message, data);
}

/* A message about elements of one set, at the buffer's end. */
static void put_elements(struct rules_batch *batch, uint16_t type, uint16_t flags, const char *set,
	const struct rules_key *keys, size_t count, const char *chain, uint64_t timeout_ms)
{
	struct nlmsghdr *message = nftnl_nlmsg_build_hdr(
		batch->buffer + batch->size, type, NFPROTO_INET, flags, ++batch->sequence);
	struct nlattr *elements;

	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, batch->table);
	mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, set);
	elements = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (size_t i = 0; i < count; i++) {
		struct nlattr *element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);

		put_key(message, &keys[i]);
		if (chain)
			put_goto(message, chain);
		if (timeout_ms)
			mnl_attr_put_u64(message, NFTA_SET_ELEM_TIMEOUT, htobe64(timeout_ms));
		mnl_attr_nest_end(message, element);
	}
	mnl_attr_nest_end(message, elements);
	batch->size += message->nlmsg_len;
	batch->last = message;
}

void rules_batch_add(struct rules_batch *batch, const char *set, const struct rules_key *keys,
	size_t count, const char *chain, uint64_t timeout_ms)
{
	put_elements(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, keys, count, chain, timeout_ms);
}

void rules_batch_delete(
	struct rules_batch *batch, const char *set, const struct rules_key *keys, size_t count)
{
	put_elements(batch, NFT_MSG_DELSETELEM, 0, set, keys, count, NULL, 0);
}

struct answer {
	int error; /* the first: -errno */
	bool is_acknowledged;
	bool has_packets;
	uint64_t packets;
};

/* The counter of a message's one element. */
static void take_element(const struct nlmsghdr *message, struct answer *answer)
{
	const struct nlattr *found =
		netlink_find(message, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS);

	found = netlink_find_nested(found, NFTA_LIST_ELEM);
	found = netlink_find_nested(found, NFTA_SET_ELEM_EXPR);
	found = netlink_find_nested(found, NFTA_EXPR_DATA);
	found = netlink_find_nested(found, NFTA_COUNTER_PACKETS);
	if (!found || mnl_attr_validate(found, MNL_TYPE_U64) < 0)
		return;
	answer->packets = be64toh(mnl_attr_get_u64(found));
	answer->has_packets = true;
}

static void take_message(const struct nlmsghdr *message, struct answer *answer)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(message);

	if (message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
		take_element(message, answer);
	if (message->nlmsg_type != NLMSG_ERROR)
		return;
	if (e->error == 0)
		answer->is_acknowledged = true;
	else if (answer->error == 0)
		answer->error = e->error;
}

/* Send what is in the buffer, take all that comes back. Returns the first error. */
static int exchange(struct rules_batch *batch, struct answer *answer)
{
	ssize_t n;

	*answer = (struct answer){0};
	if (mnl_socket_sendto(batch->socket, batch->buffer, batch->size) < 0)
		return -errno;
	while ((n = mnl_socket_recvfrom(batch->socket, batch->answer, sizeof(batch->answer))) > 0) {
		int left = (int)n;

		for (const struct nlmsghdr *m = (const void *)batch->answer; mnl_nlmsg_ok(m, left);
			m = mnl_nlmsg_next(m, &left))
			take_message(m, answer);
	}
	if (answer->error == 0 && n < 0 && errno != EAGAIN)
		return -errno;
	return answer->error;
}

int rules_batch_commit(struct rules_batch *batch, struct error *err)
{
	const struct nlmsghdr *end;
	struct answer answer;
	int r = -ENOENT;

	batch->last->nlmsg_flags |= NLM_F_ACK;
	end = nftnl_batch_end(batch->buffer + batch->size, ++batch->sequence);
	batch->size += end->nlmsg_len;
	for (int i = 0; i < TRIES && r == -ENOENT; i++)
		r = exchange(batch, &answer);
	if (r == 0 && !answer.is_acknowledged)
		r = -EPROTO;
	return r < 0 ? error_set(err, -r, "nftables: table %s: %s", batch->table, strerror(-r)) : 0;
}

int rules_batch_count(struct rules_batch *batch, const char *set, const struct rules_key *key,
	uint64_t *ret_packets, struct error *err)
{
	struct answer answer;
	int r;

	batch->size = 0;
	put_elements(batch, NFT_MSG_GETSETELEM, 0, set, key, 1, NULL, 0);
	r = exchange(batch, &answer);
	if (r == 0 && !answer.has_packets)
		r = -EPROTO;
	if (r < 0)
		return error_set(err, -r, "nftables: count of %s: %s", batch->table, strerror(-r));
	*ret_packets = answer.packets;
	return 0;
}
