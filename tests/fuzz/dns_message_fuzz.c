/*
 * Any bytes as a packet of a sandbox. What is read as a question is answered in a packet that fits, for the same
 * question, and a host name among them is the name that the packet has.
 */
#include <stdlib.h>
#include <string.h>

#include "dns/domains.h"
#include "dns/message.h"
#include "dns/policy.h"
#include "tests/fuzz/fuzz.h"

#define HEADER_SIZE 12

static void expect(bool holds)
{
	if (!holds)
		abort();
}

/* The labels of a host name, with dots, are what follows the first length byte. */
static void compare_name(const struct message_question *q)
{
	size_t length = strlen(q->name);

	expect(q->size == length + 6);
	for (size_t i = 0; i < length; i++)
		expect(q->name[i] == '.' ? q->bytes[i + 1] <= 63
					 : q->bytes[i + 1] == (uint8_t)q->name[i]);
}

static void answer(const struct message_question *q, const struct message_answer *a, size_t more)
{
	uint8_t packet[MESSAGE_MAX];
	size_t size = message_build(q, a, packet);

	expect(size == HEADER_SIZE + q->size + more && size <= sizeof(packet));
	expect(packet[0] == q->id >> 8 && packet[1] == (q->id & 0xff));
	expect((packet[2] & 0x80) && (packet[3] & 15) == a->code);
	expect(memcmp(packet + HEADER_SIZE, q->bytes, q->size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint32_t addresses[32] = {1u << 24, 2u << 24};
	static struct policy policy;
	struct message_question q;
	struct policy_verdict v;
	uint8_t *packet = malloc(size ? size : 1);
	int r;

	if (!packet)
		return 0;
	memcpy(packet, data, size);
	r = message_parse(packet, size, &q);
	free(packet);
	if (r < 0)
		return 0;
	expect(strlen(q.name) < sizeof(q.name));
	answer(&q, &(struct message_answer){.code = MESSAGE_REFUSED}, 0);
	v = policy_question(&policy, NETWORK_OPEN, q.type, q.class, q.name);
	expect(v.act != POLICY_DROP && !v.denied);
	if (!domains_is_host_name(q.name)) {
		expect(v.act != POLICY_ASK_A);
		return 0;
	}
	compare_name(&q);
	v = policy_addresses(&policy, NETWORK_OPEN, q.name, addresses, 32, 60);
	expect(v.count >= 15 && v.count <= DNS_ADDRESSES_MAX);
	answer(&q,
		&(struct message_answer){
			.count = v.count, .addresses = v.addresses, .ttl = v.answer_ttl},
		(size_t)v.count * MESSAGE_RECORD_SIZE);
	if (strlen(q.name) < 200)
		answer(&q, &(struct message_answer){.host = q.name}, 12 + strlen(q.name) + 2);
	return 0;
}
