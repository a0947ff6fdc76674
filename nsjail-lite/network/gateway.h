/*
 * gateway.h - the host's address that sandboxes see, and what the host's way out is like.
 *
 * The address is a /32 on lo with a label of the instance, by which it is found after a kill.
 */
#ifndef NSJAIL_LITE_NETWORK_GATEWAY_H
#define NSJAIL_LITE_NETWORK_GATEWAY_H
#include <stdint.h>

struct error;

/* Fails when the address is there already. */
int gateway_add(const char *instance, uint32_t address, struct error *err);
/* Whatever the address was. 0 also when there is none. */
int gateway_remove(const char *instance, struct error *err);

/* Of the interface of the default route; 1500 when there is none. */
int gateway_mtu(uint32_t *ret_mtu, struct error *err);
#endif
