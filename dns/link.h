/*
 * link.h - hearth-dns's end of proto/dns.h.
 */
#ifndef DNS_LINK_H
#define DNS_LINK_H
#include <event2/event.h>
#include <stdint.h>

#include "dns/sandboxes.h"
#include "dns/server.h"

struct link {
	struct server *server;
	struct event *readable;
	int fd; /* borrowed */
	int exit_code; /* 0: the other side has closed; 1: it sent what it must not; the loop has been left */
};

/* Watch fd and hand over what comes, before all else: the loop has two priorities. 0 or -ENOMEM. */
int link_open(struct link *link, struct server *server, int fd);
/* The fd stays open. */
void link_close(struct link *link);

/* 0; -EAGAIN when the other side does not keep up; other -errno. */
int link_send_admit(
	int fd, uint32_t id, const struct sandbox *sandbox, const struct policy_verdict *verdict);
int link_send_denied(int fd, const struct sandbox *sandbox, uint32_t count);
#endif
