#include "proto/channel.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"

int channel_pair(int ret_fds[2], struct error *err)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return error_errno(err, "socketpair");
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

int channel_send(int socket, const void *head, size_t head_size, const void *body, size_t body_size,
	const int *fds, size_t count)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec parts[2] = {
		{(void *)(uintptr_t)head, head_size},
		{(void *)(uintptr_t)body, body_size},
	};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = body_size ? 2 : 1};
	ssize_t n;

	if (count > CHANNEL_FDS_MAX)
		return -EINVAL;
	if (count > 0) {
		struct cmsghdr *cmsg;

		memset(&control, 0, CMSG_SPACE(sizeof(int) * count));
		message.msg_control = control.bytes;
		message.msg_controllen = (socklen_t)CMSG_SPACE(sizeof(int) * count);
		cmsg = CMSG_FIRSTHDR(&message);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = (socklen_t)CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * count);
	}
	do
		n = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return 0;
}

void channel_close_fds(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		fd_close(take_fd(&fds[i]));
}

/* musl's CMSG_NXTHDR() mixes signs. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-conversion"

/* Collect the fds of a received message. -EPROTO when the kernel had to cut them. */
static int collect_fds(struct msghdr *message, int *fds, size_t *ret_count)
{
	size_t count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (count < CHANNEL_FDS_MAX)
				fds[count++] = fd;
			else
				fd_close(fd);
		}
	}
	*ret_count = count;
	return message->msg_flags & MSG_CTRUNC ? -EPROTO : 0;
}
#pragma GCC diagnostic pop

/*
 * A peer that closes with packets of ours unread leaves ECONNRESET behind, which comes once and ahead
 * of the packets that it had sent before: these are still to be read, then comes the end.
 */
static ssize_t receive_again(int socket, int flags, struct msghdr *message)
{
	bool was_reset = false;
	ssize_t n;

	for (;;) {
		n = recvmsg(socket, message, MSG_CMSG_CLOEXEC | flags);
		if (n >= 0 || (errno != EINTR && (errno != ECONNRESET || was_reset)))
			return n;
		was_reset = was_reset || errno == ECONNRESET;
	}
}

static ssize_t receive(int socket, int flags, void *buffer, size_t size,
	int ret_fds[CHANNEL_FDS_MAX], size_t *ret_count)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec part = {buffer, size};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	size_t count = 0;
	ssize_t n;
	int r;

	n = receive_again(socket, flags, &message);
	if (n < 0)
		return -errno;
	r = collect_fds(&message, ret_fds, &count);
	if (r == 0 && message.msg_flags & MSG_TRUNC)
		r = -EMSGSIZE;
	if (r < 0) {
		channel_close_fds(ret_fds, count);
		return r;
	}
	*ret_count = count;
	return n;
}

ssize_t channel_receive(
	int socket, void *buffer, size_t size, int ret_fds[CHANNEL_FDS_MAX], size_t *ret_count)
{
	return receive(socket, 0, buffer, size, ret_fds, ret_count);
}

ssize_t channel_receive_near(
	int socket, void *buffer, size_t size, int ret_fds[CHANNEL_FDS_MAX], size_t *ret_count)
{
	uint64_t until_ns = clock_now_ns() + CHANNEL_NEAR_US * NS_PER_US;

	do {
		ssize_t n;

		sched_yield(); /* first of all: on one core the peer answers now */
		n = receive(socket, MSG_DONTWAIT, buffer, size, ret_fds, ret_count);
		if (n != -EAGAIN)
			return n;
	} while (clock_now_ns() < until_ns);
	return receive(socket, 0, buffer, size, ret_fds, ret_count);
}
