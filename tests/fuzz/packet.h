/*
 * packet.h - what the targets of the three protocols share: an input is one packet, behind a byte
 * that says from which side it comes and with how many fds.
 */
#ifndef TESTS_FUZZ_PACKET_H
#define TESTS_FUZZ_PACKET_H
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "proto/check.h"

/*
 * Judge the input. NULL: refused, for a reason that was told. Otherwise its rule, and *ret_packet, which
 * the caller frees: aligned as a receive buffer is, and not a byte longer than the packet.
 */
static const struct message_rule *fuzz_packet(const struct message_protocol *protocol,
	const uint8_t *data, size_t size, void **ret_packet)
{
	const struct message_rule *rule = NULL;
	struct error err = {0};
	void *packet;
	int r;

	if (size == 0)
		return NULL;
	packet = malloc(size > 1 ? size - 1 : 1);
	if (!packet)
		return NULL;
	memcpy(packet, data + 1, size - 1);
	r = check_message(protocol, data[0] & 1 ? MESSAGE_TO_CLIENT : MESSAGE_TO_SERVER, packet,
		size - 1, data[0] >> 1, &rule, &err);
	if (r < 0) {
		if (err.code != -r || err.text[0] == '\0' || rule)
			abort();
		free(packet);
		return NULL;
	}
	if (!rule || size - 1 < rule->fixed_size)
		abort();
	*ret_packet = packet;
	return rule;
}
#endif
