/* Any bytes as a packet of a sandbox's channel, from either side: refused, or such that it can be used. */
#include "proto/guest.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/packet.h"

/* As many strings as announced, and each whole: the guest reads them without looking again. */
static void expect_strings(const void *payload, const void *end, uint32_t count)
{
	const char *at = payload;
	const char *string;
	uint32_t found = 0;

	for (; (string = guest_next_string(&at, end)); found++)
		if (string + strlen(string) >= (const char *)end)
			abort();
	if (found != count || at != end)
		abort();
}

static uint32_t file_strings(uint16_t type)
{
	return type == GUEST_GREP ? 3 : type == GUEST_GLOB ? 2 : 1;
}

static void use(const void *packet)
{
	const struct message_header *h = packet;
	const char *end = (const char *)packet + h->size;

	if (h->type == GUEST_EXEC) {
		const struct guest_exec *m = packet;

		expect_strings(m + 1, end, m->argc + m->envc + 1);
		if (m->argc == 0 || guest_fd_count(h) > GUEST_EXEC_FDS_MAX)
			abort();
		if (m->flags & GUEST_EXEC_PTY && guest_fd_count(h) > 0)
			abort();
	} else if (h->type >= GUEST_READ && h->type <= GUEST_GREP) {
		expect_strings((const struct guest_file *)packet + 1, end, file_strings(h->type));
	} else if (h->type == GUEST_REPLY) {
		const struct guest_reply *m = packet;

		if (strlen(m->text) >= sizeof(m->text) || m->end == GUEST_END_LOST)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *packet;

	if (!fuzz_packet(&guest_protocol, data, size, &packet))
		return 0;
	use(packet);
	free(packet);
	return 0;
}
