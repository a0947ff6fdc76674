/* Any bytes as a packet between supervisor and builder, from either side: refused, or usable. */
#include "nsjail-lite/builder/link.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *packet;
	const struct message_rule *rule = fuzz_packet(&link_protocol, data, size, &packet);

	if (!rule)
		return 0;
	if (rule->type == LINK_TEMPLATE) {
		const struct link_template *m = packet;

		for (uint32_t i = 0; i < m->bind_count; i++)
			if (i >= JAIL_BINDS_MAX || strlen(m->binds[i].destination) == 0)
				abort();
		if (strlen((const char *)(m + 1)) + sizeof(*m) >= size - 1)
			abort();
	}
	if (rule->type == LINK_FAILED &&
		strlen(((const struct link_failed *)packet)->text) >= LINK_TEXT_MAX)
		abort();
	free(packet);
	return 0;
}
