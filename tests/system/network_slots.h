/*
 * network_slots.h - the rules and links of two instances on one host (network_world.h), in this process; two slots
 * of the first and one of the second, of profile open.
 */
#ifndef TESTS_SYSTEM_NETWORK_SLOTS_H
#define TESTS_SYSTEM_NETWORK_SLOTS_H
#include <stdbool.h>
#include <stdint.h>

#include "nsjail-lite/network/links.h"
#include "nsjail-lite/network/rules.h"
#include "tests/system/network_world.h"

extern struct network_start slots_configs[2];
extern struct links *slots_links[2];
extern struct rules *slots_rules[2];
/* Sandboxes: slots 0 and 1 of the first instance, slot 0 of the second. */
extern int slots_netns[3];
extern uint32_t slots_address[3];

int slots_set_up(void **state);
int slots_tear_down(void **state);

void slots_set_profile(unsigned sandbox, enum network_profile profile);

/* Packets of the sandbox that were dropped. */
uint64_t slots_denied(unsigned sandbox);
/* There is one more than before, now or in a moment. */
bool slots_becomes_denied(unsigned sandbox, uint64_t before);

/* A UDP packet of sandbox 0, from a port of its own. */
void slots_send(uint32_t to, uint16_t port, const char *text);
#endif
