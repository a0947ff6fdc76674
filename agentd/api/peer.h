/*
 * peer.h - the other end of a connection, by its address.
 */
#ifndef AGENTD_API_PEER_H
#define AGENTD_API_PEER_H
#include <stdbool.h>
#include <sys/socket.h>

#define PEER_NAME_MAX 48 /* bytes with the terminator */

/* "192.0.2.1"; of IPv6 its /64, "2001:db8:0:1::", since a customer has one; else "unix". */
void peer_name(const struct sockaddr_storage *address, char ret_name[static PEER_NAME_MAX]);
/* 127.0.0.0/8, ::1, or the first in the second. */
bool peer_is_loopback(const struct sockaddr_storage *address);
#endif
