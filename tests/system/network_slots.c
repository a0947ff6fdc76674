#include "tests/system/network_slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"

struct network_start slots_configs[2];
struct links *slots_links[2];
struct rules *slots_rules[2];
static struct error err;
int slots_netns[3];
uint32_t slots_address[3];

void slots_set_profile(unsigned sandbox, enum network_profile profile)
{
	unsigned instance = sandbox / 2, slot = sandbox % 2;
	char link[16];

	links_name(slots_links[instance], slot, link);
	if (rules_set_profile(slots_rules[instance], link, slots_address[sandbox], profile, &err) <
			0 ||
		links_forget_connections(slots_links[instance], slot, &err) < 0)
		fail_msg("%s", err.text);
}

int slots_set_up(void **state)
{
	world_set_up(state);
	for (unsigned i = 0; i < 2; i++) {
		world_config(&slots_configs[i], i);
		if (rules_open(&slots_configs[i], &slots_rules[i], &err) < 0 ||
			links_open(&slots_configs[i], &slots_links[i], &err) < 0)
			fail_msg("%s", err.text);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(slots_netns); i++) {
		const struct network_start *config = &slots_configs[i / 2];

		if (links_slot(slots_links[i / 2], i % 2, &slots_netns[i], &err) < 0)
			fail_msg("%s", err.text);
		slots_address[i] = network_slot_address(config, i % 2);
		slots_set_profile(i, NETWORK_OPEN);
	}
	return 0;
}

int slots_tear_down(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		links_close(slots_links[i]);
		rules_close(slots_rules[i]);
	}
	return 0;
}

uint64_t slots_denied(unsigned sandbox)
{
	uint64_t packets = 0;

	if (rules_denied(slots_rules[sandbox / 2], slots_address[sandbox], &packets, &err) < 0)
		fail_msg("%s", err.text);
	return packets;
}

/* The sandbox's last packet is refused, now or in a moment. */
bool slots_becomes_denied(unsigned sandbox, uint64_t before)
{
	for (int waited_ms = 0; waited_ms < WORLD_LATER_MS; waited_ms += 10) {
		if (slots_denied(sandbox) > before)
			return true;
		usleep(10000);
	}
	return false;
}

void slots_send(uint32_t to, uint16_t port, const char *text)
{
	auto_close int fd = world_socket(slots_netns[0], AF_INET, SOCK_DGRAM, 0);

	world_send(fd, to, port, text);
}
