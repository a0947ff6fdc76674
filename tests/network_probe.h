/* network_probe.h - what the files of network-probe share. */
#ifndef TESTS_NETWORK_PROBE_H
#define TESTS_NETWORK_PROBE_H
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#define SILENCE 4096 /* no answer: an outcome beside errnos */
#define WAIT_MS 400  /* for an answer, which is a millisecond away when it comes */

union address {
	struct sockaddr any;
	struct sockaddr_in four;
	struct sockaddr_in6 six;
};

/* Of either family; ends the program when it is none. */
socklen_t parse_address(const char *text, unsigned port, union address *ret_address);

/* 0 once it is ready without an error; negative errno or -SILENCE. */
int wait_for(int fd, short events, int ms);

/* What comes within that time, terminated: its length, negative errno or -SILENCE. */
int hear(int fd, int ms, char *text, size_t size);

/* A socket at this port of all addresses of the family, or negative errno. */
int bound(int type, int family, unsigned port);

/* Uses: the words after their name; the outcome, negative. network_probe_many.c */
int use_scan(char **args), use_scan_udp(char **args);
int use_dns(char **args), use_ask_many(char **args);
int use_listen(char **args), use_late(char **args);
#endif
