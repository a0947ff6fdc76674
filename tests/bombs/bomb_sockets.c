/* What lies in the buffers of sockets, unread. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bombs/bomb.h"

#define SOCKET_BYTES 4096
#define BUFFER_BYTES (4 << 20) /* asked for; the host says how much is too much */
#define DATAGRAM     32768

static void fill_socket(int fd, size_t size)
{
	static char block[DATAGRAM];

	while (send(fd, block, size, MSG_DONTWAIT) > 0)
		;
}

static long hold_sockets(void)
{
	for (long i = 0; i < BOMB_PER_CHILD / 2; i++) {
		int fds[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) < 0)
			return i * 2;
		fill_socket(fds[0], SOCKET_BYTES);
	}
	return BOMB_PER_CHILD;
}

long bomb_sockets(long max)
{
	return bomb_in_children(max, hold_sockets);
}

static int make(int type, struct sockaddr_in *address)
{
	int fd = socket(AF_INET, type, 0), size = BUFFER_BYTES;
	socklen_t length = sizeof(*address);

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	*address = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (bind(fd, (struct sockaddr *)address, sizeof(*address)) < 0 ||
		getsockname(fd, (struct sockaddr *)address, &length) < 0)
		return -1;
	return fd;
}

/* One end each: bytes that were sent and that nobody takes. */
static long hold_tcp(void)
{
	struct sockaddr_in address;
	int listener = make(SOCK_STREAM, &address);

	if (listener < 0 || listen(listener, 1) < 0)
		return 0;
	for (long i = 0; i < BOMB_PER_CHILD / 2; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), size = BUFFER_BYTES;

		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
			accept(listener, NULL, NULL) < 0)
			return i * 2;
		fill_socket(fd, DATAGRAM);
	}
	return BOMB_PER_CHILD;
}

long bomb_tcp(long max)
{
	return bomb_in_children(max, hold_tcp);
}

/* To oneself: what the queue does not take is dropped without a word. */
static void fill_datagrams(int fd)
{
	static char block[DATAGRAM];

	for (int i = 0; i < BUFFER_BYTES / DATAGRAM; i++)
		send(fd, block, sizeof(block), MSG_DONTWAIT);
}

static long hold_udp(void)
{
	for (long i = 0; i < BOMB_PER_CHILD; i++) {
		struct sockaddr_in address;
		int fd = make(SOCK_DGRAM, &address);

		if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
			return i;
		fill_datagrams(fd);
	}
	return BOMB_PER_CHILD;
}

long bomb_udp(long max)
{
	return bomb_in_children(max, hold_udp);
}
