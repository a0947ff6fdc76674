/*
 * main.c - hearth-dns: answers the sandboxes' DNS queries.
 *
 * Theory of operation. It reads bytes that hostile processes and hostile name servers wrote, so it is a process
 * of its own, started as root by hearth-network with a SEQPACKET link (proto/dns.h) as fd 3; before anything is
 * read it has an empty root, a uid of its own, no privilege (confine.c) and few system calls (filter.c). One
 * libevent loop, one thread, nothing waits.
 *
 *   A query comes on the UDP socket of DNS_START (server.c) and is parsed (message.c). Who asks is known by the
 *   source address alone, which the rules of hearth-network vouch for (sandboxes.c). policy.c says what becomes
 *   of it: answered at once, or asked of the host's resolvers by evdns (query.c); and judges their answer too.
 *   Of profile allow, its addresses go to hearth-network as DNS_ADMIT, and the answer leaves with DNS_ADMITTED
 *   (link.c).
 *
 *   What is denied is counted, told by DNS_DENIED, and logged by name.
 *
 * What a sandbox may cost is bounded: queries a second, queries in flight, lines in the log. An answer carries the
 * addresses under the name that was asked, without CNAMEs, in at most 512 bytes. What a resolver cannot say in a
 * UDP packet without EDNS fails (SERVFAIL): evdns speaks no TCP. A resolver that was silent evdns probes with a
 * name of its own, google.com.
 *
 * Resolvers must give a name's letters back as they were asked: each is upper or lower case by chance, which is
 * what a forged answer would have to guess beside the id, since evdns asks from one port for all its life.
 *
 * At the end of the link it exits 0; when something comes on it that must not, 1.
 */
#include <config.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/number.h"
#include "dns/confine.h"
#include "dns/filter.h"
#include "dns/link.h"

#define PROGRAM	   "hearth-dns"
#define LINK_FD	   3
#define EXIT_USAGE 2

/* 0, or EXIT_USAGE: said why. */
static int parse_options(int argc, char **argv, uid_t *ret_uid)
{
	static const struct option known[] = {
		{"uid", required_argument, NULL, 'u'}, {NULL, 0, NULL, 0}};
	bool is_right = true;
	uint64_t uid = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1)
		is_right =
			is_right && c == 'u' && number_parse(optarg, 1, UINT32_MAX - 1, &uid) == 0;
	if (!is_right || uid == 0 || optind != argc) {
		fprintf(stderr, "usage: " PROGRAM " --uid N\n"
				"\n"
				"Answer sandboxes' DNS queries; started by hearth-network.\n");
		return EXIT_USAGE;
	}
	*ret_uid = (uid_t)uid;
	return 0;
}

/* 0 to 3 and nothing else. */
static int own_fds(struct error *err)
{
	struct stat st;
	int r;

	if (fstat(LINK_FD, &st) < 0 || !S_ISSOCK(st.st_mode))
		return error_set(
			err, EBADF, "fd %d is no link: hearth-network starts this", LINK_FD);
	if (fcntl(LINK_FD, F_SETFD, FD_CLOEXEC) < 0 || close_range(LINK_FD + 1, ~0U, 0) < 0)
		return error_errno(err, "descriptors");
	r = fd_set_nonblocking(LINK_FD, true);
	return r < 0 ? error_set(err, -r, "link: %s", strerror(-r)) : 0;
}

static int serve(struct event_base *events, struct error *err)
{
	static struct server server;
	static struct link link;
	int r = server_init(&server, events, LINK_FD, err);

	if (r == 0 && link_open(&link, &server, LINK_FD) < 0)
		r = error_set(err, ENOMEM, "event loop: out of memory");
	if (r == 0)
		r = filter_install(err);
	if (r == 0)
		event_base_dispatch(events);
	link_close(&link);
	server_finish(&server);
	return r < 0 ? r : link.exit_code;
}

int main(int argc, char **argv)
{
	struct event_base *events;
	struct error err;
	uid_t uid;
	int r = parse_options(argc, argv, &uid);

	if (r != 0)
		return r;
	log_open(PROGRAM);
	umask(077);
	signal(SIGPIPE, SIG_IGN);
	r = own_fds(&err);
	if (r == 0)
		r = confine(uid, &err);
	events = r == 0 ? event_base_new() : NULL;
	if (r == 0 && (!events || event_base_priority_init(events, 2) < 0))
		r = error_set(&err, ENOMEM, "event loop: out of memory");
	if (r == 0)
		r = serve(events, &err);
	if (events)
		event_base_free(events);
	if (r < 0)
		log_error("%s", err.text);
	return r != 0;
}
