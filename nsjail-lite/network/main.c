/*
 * main.c - hearth-network: the host's end of all sandboxes' networks.
 *
 * Theory of operation. A child of the supervisor with a SEQPACKET link (network_link.h) as fd 3; root, but of its
 * capabilities it keeps those for networks (privileges.c). One loop, requests are served in order:
 *
 *   links.c  the slots' network namespaces, a routed veth each; conntrack, neighbours, counters
 *   rules.c  one nftables table: who may send what where
 *   hearth-dns, a process of its own without privileges (dns_child.c), answers the sandboxes' queries on the
 *            socket that is bound here
 *
 * A slot's address has a generation, counted up whenever it changes hands or profile: what hearth-dns says of
 * an earlier one comes to nothing.
 *
 * The rules hold as long as there is a sandbox that could send: when the link ends, for whatever
 * reason, the namespaces' fds are closed and the table goes only when the last link has gone with its namespace. If
 * that does not happen in time, or this process is killed, the table stays; hearth-network --recover, which
 * network_recover() runs, removes it.
 */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "nsjail-lite/network/links.h"
#include "nsjail-lite/network/network.h"
#include "nsjail-lite/network/rules.h"
#include "proto/channel.h"

#define PROGRAM	   "hearth-network"
#define EXIT_USAGE 2
#define LOOK_NS	   20000000

/* One packet from the link into buffer. 0; 1: the link has ended; -errno. */
static int read_link(struct network *n, void *buffer, size_t size, struct error *err)
{
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;
	ssize_t got = channel_receive(n->link_fd, buffer, size, fds, &count);
	int r;

	if (got == 0 || got == -ECONNRESET)
		return 1;
	if (got < 0)
		return error_set(err, (int)-got, "link: %s", strerror((int)-got));
	r = check_message(
		&network_protocol, MESSAGE_TO_SERVER, buffer, (size_t)got, count, &rule, err);
	channel_close_fds(fds, count);
	return r < 0 ? error_prefix(err, r, "link") : 0;
}

static int start(struct network *n, struct error *err)
{
	int r;

	n->slots = calloc(n->config->slot_count, sizeof(*n->slots));
	if (!n->slots)
		return error_set(err, ENOMEM, "out of memory");
	r = dns_child_open(n, err);
	if (r == 0)
		r = privileges_drop(err);
	if (r == 0)
		r = rules_open(n->config, &n->rules, err);
	if (r == 0)
		r = links_open(n->config, &n->links, err);
	if (r == 0)
		r = dns_child_start(n, err);
	return r;
}

static int serve(struct network *n, struct error *err)
{
	static _Alignas(8) char packet[NETWORK_PACKET_MAX];
	int r = 0;

	while (r == 0) {
		struct pollfd fds[] = {{.fd = n->link_fd, .events = POLLIN},
			{.fd = n->dns.program.link_fd, .events = POLLIN}};

		if (poll(fds, ARRAY_SIZE(fds), n->dns.is_broken ? 0 : -1) < 0 && errno != EINTR)
			return error_errno(err, "poll");
		if (fds[1].revents && !n->dns.is_broken)
			dns_child_receive(n);
		if (fds[0].revents)
			r = read_link(n, packet, sizeof(packet), err);
		if (fds[0].revents && r == 0)
			r = request_serve(n, (const void *)packet, err);
		if (n->dns.is_broken && r == 0)
			r = dns_child_start(n, err);
	}
	return r == -EPIPE ? 1 : r;
}

static bool has_links(const char *instance)
{
	struct if_nameindex *links = if_nameindex();
	char prefix[NETWORK_LINK_PREFIX_SIZE];
	bool found = !links; /* not known */

	network_link_prefix(instance, prefix);
	for (const struct if_nameindex *l = links; !found && l && l->if_index != 0; l++)
		found = strncmp(l->if_name, prefix, strlen(prefix)) == 0;
	if_freenameindex(links);
	return found;
}

/* Namespaces end some time after their last process. False: not within NETWORK_LINKS_END_MS. */
static bool await_end_of_links(const char *instance)
{
	const struct timespec look = {.tv_nsec = LOOK_NS};
	uint64_t deadline_ms = clock_now_ms() + NETWORK_LINKS_END_MS;

	while (has_links(instance)) {
		if (clock_now_ms() >= deadline_ms)
			return false;
		nanosleep(&look, NULL);
	}
	return true;
}

static void end(struct network *n)
{
	dns_child_close(n);
	links_close(n->links);
	if (n->rules && !await_end_of_links(n->config->instance))
		log_warning("there are still sandboxes with a network: the rules for them stay");
	else
		rules_close(n->rules);
	free(n->slots);
}

static int run(struct network *n, struct error *err)
{
	static _Alignas(8) char packet[NETWORK_PACKET_MAX];
	const struct message_header *m = (const void *)packet;
	const struct network_done done = {0};
	int r = read_link(n, packet, sizeof(packet), err);

	if (r == 0 && m->type != NETWORK_START)
		r = error_set(err, EPROTO, "link: it does not begin with START");
	if (r != 0)
		return r;
	n->config = (const void *)packet;
	r = start(n, err);
	if (r < 0) {
		request_answer_failed(n, m->id, err, NULL);
		r = error_prefix(err, r, "start");
	} else {
		r = request_answer_done(n, &done, NETWORK_STARTED, m->id, -1, err);
	}
	if (r == 0)
		r = serve(n, err);
	end(n);
	return r;
}

static int recover(const char *instance)
{
	struct network n = {.link_fd = PROGRAM_LINK_FD};
	struct error err;
	int r = links_recover(instance, &err), removed;

	/* All is dead already; whoever still holds a namespace has nobody in it who could send. */
	await_end_of_links(instance);
	removed = rules_recover(instance, r < 0 ? NULL : &err);
	if (r == 0)
		r = removed;
	if (r < 0)
		request_answer_failed(&n, 1, &err, NULL);
	return r < 0;
}

/* The link, and nobody after us has it. */
static int own_link(struct error *err)
{
	struct stat st;

	if (fstat(PROGRAM_LINK_FD, &st) < 0 || !S_ISSOCK(st.st_mode))
		return error_set(err, EBADF, "fd %d is no link: the supervisor starts this",
			PROGRAM_LINK_FD);
	if (fcntl(PROGRAM_LINK_FD, F_SETFD, FD_CLOEXEC) < 0)
		return error_errno(err, "link");
	return 0;
}

int main(int argc, char **argv)
{
	struct network n = {.link_fd = PROGRAM_LINK_FD,
		.dns = {.socket_fd = -1, .program = {.pid = -1, .pidfd = -1, .link_fd = -1}}};
	struct error err;
	int r;

	log_open(PROGRAM);
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTERM, SIG_IGN); /* the link's end says when: until then sandboxes may live */
	r = own_link(&err);
	if (r == 0 && argc == 3 && strcmp(argv[1], "--recover") == 0)
		return recover(argv[2]);
	if (r == 0 && argc != 1) {
		fprintf(stderr, "usage: " PROGRAM " [--recover INSTANCE]\n");
		return EXIT_USAGE;
	}
	if (r == 0)
		r = run(&n, &err);
	if (r < 0)
		log_error("%s", err.text);
	return r < 0;
}
