/*
 * network_world.h - a host in a network namespace of the test's own, and the world around it in another.
 *
 *   host:    up0 5.5.5.2/24, default route; here the test itself runs
 *   outside: out0 5.5.5.1/24 and, on lo, every address that a test wants to reach there
 *
 * Addresses that are public are so only here. /run is empty. All of it goes with the test.
 */
#ifndef TESTS_SYSTEM_NETWORK_WORLD_H
#define TESTS_SYSTEM_NETWORK_WORLD_H
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "nsjail-lite/network/network_link.h"

#define WORLD_PORT     7000
#define WORLD_RANGE    0x0ad50000u /* 10.213.0.0 */
#define WORLD_SLOTS    8
#define WORLD_UID      (16 * JAIL_UIDS) /* first of the first instance: slot 0 is 10.213.0.16 */
#define WORLD_INSTANCE "ntest00001"
#define WORLD_LATER_MS 10000 /* what must come does within this */

extern int world_host, world_outside; /* network namespaces */

int world_set_up(void **state);

/* nth instance, 0 or 1, with its slots and its gateway behind them. */
void world_config(struct network_start *ret_config, unsigned nth);

/* Run a command line; it must succeed. */
void world_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Whether the host has a table, link, address or setting that the command's output shows. */
bool world_shows(const char *command, const char *needle);
/* Whether the output shows it no more, now or in a moment: links go a while after their namespaces. */
bool world_has_gone(const char *command, const char *needle);
/* The kernel tracks connections only where somebody asks for their state: from now on the host. */
void world_track_connections(void);

/* For what is to hold in a moment: packets may still be under way when send() has returned. Fails the test if not. */
#define WORLD_AWAIT(condition)                                                                     \
	for (int waited_ms = 0; !(condition);)                                                     \
	world_look_again(&waited_ms, #condition)
void world_look_again(int *waited_ms, const char *awaited);

uint32_t world_address(const char *dotted);

/* Sockets in a namespace; the caller closes them. bind: 0.0.0.0 and port 0 leave it to the kernel. */
int world_socket(int netns, int domain, int type, int protocol);
int world_bound(int netns, int type, uint32_t address, uint16_t port);
void world_send(int fd, uint32_t to, uint16_t port, const char *text);
/* Whether the text comes to the UDP socket; what is older is thrown away. */
bool world_arrives(int fd, const char *text, int patience_ms);

/*
 * Datagrams of the socket to many ports, each a connection, again and again as fast as they go, by a process of its own
 * until world_end_flood().
 */
pid_t world_flood(int fd, uint32_t to);
void world_end_flood(pid_t flood);

/*
 * A packet made by hand: protocol, source, words of options more than a header has, and the field that says which
 * fragment it is; its payload is a UDP header to port and the text. fd: SOCK_RAW, IPPROTO_RAW.
 */
struct world_packet {
	uint8_t protocol;
	uint8_t option_words;
	uint16_t fragment; /* 0: whole */
	uint32_t from, to;
	uint16_t port;
	const char *text;
};
void world_send_packet(int fd, const struct world_packet *packet);

/* An error of ICMP made by hand: a datagram of to's port to about_port of about, which begins with mark, was too long. */
struct world_error {
	uint32_t from, to, about;
	uint16_t port, about_port;
	const char *mark; /* 8 bytes */
};
void world_send_error(int fd, const struct world_error *error);
#endif
