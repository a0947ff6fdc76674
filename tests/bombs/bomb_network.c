/* Floods of the network around the sandbox. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bombs/bomb.h"

#define CONNECT_MS 3000 /* for all connections */
#define PORT_FIRST 1024
#define PORTS	   60000
#define BATCH	   64 /* packets of a send */
#define BIG	   1200

static struct sockaddr_in target(const char *address, long number)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons((in_port_t)(PORT_FIRST + number % PORTS))};

	inet_pton(AF_INET, address, &a.sin_addr);
	return a;
}

/* Begin so many connections: none is waited for. */
static long begin(const char *address, struct pollfd *polls, long max)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (long i = 0; i < max; i++) {
		struct sockaddr_in a = target(address, i);

		polls[i].fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		polls[i].events = POLLOUT;
		if (polls[i].fd < 0 ||
			(connect(polls[i].fd, (struct sockaddr *)&a, sizeof(a)) < 0 &&
				errno != EINPROGRESS))
			return i;
	}
	errno = 0;
	return max;
}

long bomb_syns(long max)
{
	struct pollfd *polls = calloc((size_t)max, sizeof(*polls));

	return begin(BOMB_HOLE, polls, max);
}

/* Those that somebody has answered by the end of the time. */
long bomb_connects(long max)
{
	struct pollfd *polls = calloc((size_t)max, sizeof(*polls));
	int64_t end = bomb_now_ms() + CONNECT_MS;
	long begun = begin(BOMB_ANSWERS, polls, max), done = 0;

	while (done < begun && bomb_now_ms() < end) {
		poll(polls, (nfds_t)begun, 100);
		for (long i = 0; i < begun; i++) {
			if (!(polls[i].revents & POLLOUT) || (polls[i].revents & POLLERR))
				continue;
			polls[i].fd = -1 - polls[i].fd; /* still open, watched no more */
			done++;
		}
	}
	errno = done < begun ? ETIMEDOUT : 0;
	return done;
}

/* A datagram each to another port: for whoever keeps account, a connection. */
long bomb_flows(long max)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	long done = 0;

	for (long i = 0; i < max; i++) {
		struct sockaddr_in a = target(BOMB_HOLE, i);

		done += sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)) == 1;
	}
	errno = 0;
	return done;
}

static long flood(long milliseconds, size_t size)
{
	static char block[BIG];
	struct sockaddr_in a = target(BOMB_HOLE, 0);
	struct iovec iov = {block, size};
	struct mmsghdr messages[BATCH];
	int64_t end = bomb_now_ms() + milliseconds;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	long done = 0;

	memset(messages, 0, sizeof(messages));
	for (size_t i = 0; i < BATCH; i++)
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov, .msg_iovlen = 1};
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return 0;
	while (bomb_now_ms() < end) {
		int n = sendmmsg(fd, messages, BATCH, 0);

		done += n > 0 ? n : 0;
	}
	errno = 0;
	return done;
}

long bomb_packets(long milliseconds)
{
	return flood(milliseconds, 1);
}

long bomb_bytes(long milliseconds)
{
	return flood(milliseconds, BIG);
}
