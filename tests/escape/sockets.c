/*
 * E17 packets and raw sockets   E18 input pushed into a terminal   E19 out-of-band data   E20 vsock
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/escape/families.h"

#define HIGH_BITS 0xdead00000000 /* of a 64-bit argument, of which the kernel reads 32 */

/* On a terminal of one's own, the controlling one: what TIOCSTI wants. */
static int try_terminal(const struct probe *p)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	int unlock = 0, number, slave;
	char path[32], input[8] = "x";

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0 ||
		ioctl(master, TIOCGPTN, &number) < 0)
		return -EIO;
	setsid();
	snprintf(path, sizeof(path), "/dev/pts/%d", number);
	slave = open(path, O_RDWR | O_CLOEXEC);
	if (slave < 0)
		return -EIO;
	memset(input + 1, 0, sizeof(input) - 1);
	if (p->number == TIOCSETD)
		input[0] = 0; /* N_TTY, which it has */
	return probe_result(syscall(SYS_ioctl, slave, p->number | p->other, input));
}

static int stream_pair(int family, int fds[2])
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int listener;

	if (family == AF_UNIX)
		return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0 || fds[0] < 0 || listen(listener, 1) < 0 ||
		getsockname(listener, (void *)&address, &size) < 0 ||
		connect(fds[0], (const void *)&address, size) < 0)
		return -1;
	fds[1] = accept(listener, NULL, NULL);
	return fds[1] < 0 ? -1 : 0;
}

/* p->number: the call; p->other: the family. What is received out of band has been sent so before. */
static int try_out_of_band(const struct probe *p)
{
	char byte = 'x';
	struct iovec iov = {&byte, 1};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};
	int fds[2];

	if (stream_pair((int)p->other, fds) < 0)
		return -EIO;
	switch (p->number) {
	case SYS_sendto:
		return probe_result(syscall(SYS_sendto, fds[0], &byte, 1, MSG_OOB, NULL, 0));
	case SYS_sendmsg:
		return probe_result(syscall(SYS_sendmsg, fds[0], &message.msg_hdr, MSG_OOB));
	case SYS_sendmmsg:
		return probe_result(syscall(SYS_sendmmsg, fds[0], &message, 1, MSG_OOB));
	}
	syscall(SYS_sendto, fds[0], &byte, 1, MSG_OOB, NULL, 0);
	switch (p->number) {
	case SYS_recvfrom:
		return probe_result(syscall(SYS_recvfrom, fds[1], &byte, 1, MSG_OOB, NULL, NULL));
	case SYS_recvmsg:
		return probe_result(syscall(SYS_recvmsg, fds[1], &message.msg_hdr, MSG_OOB));
	default:
		return probe_result(
			syscall(SYS_recvmmsg, fds[1], &message, 1, MSG_OOB | MSG_DONTWAIT, NULL));
	}
}

/* A connection to the host, whatever becomes of it: the wall is that there is no such socket. */
static int try_vsock(const struct probe *p)
{
	struct sockaddr_vm address = {
		.svm_family = AF_VSOCK, .svm_cid = (unsigned)p->number, .svm_port = 1};
	int fd = socket(AF_VSOCK, (int)p->other, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const void *)&address, sizeof(address)) < 0)
		return errno == ENODEV ? -ENODEV : -ECONNREFUSED;
	return 0;
}

/* clang-format off */
#define SOCKET(title, refusal, ...) {.id = "E17", .name = title, .call = {SYS_socket, __VA_ARGS__}, \
	.refused = {refusal}, .control = {WORKED}}
#define TERMINAL(title, reached, request, high) {.id = "E18", .name = title, \
	.attempt = try_terminal, .number = request, .other = high, .refused = {EPERM}, \
	.control = {reached}}
#define OUT_OF_BAND(title, call_number, family) {.id = "E19", .name = title, \
	.attempt = try_out_of_band, .number = call_number, .other = family, \
	.refused = {EOPNOTSUPP}, .control = {WORKED}}
/* EAFNOSUPPORT, as inside: a kernel without it; ENODEV: a socket, but no way from there. */
#define VSOCK(title, cid, type) {.id = "E20", .name = title, .attempt = try_vsock, \
	.number = cid, .other = type, .refused = {EAFNOSUPPORT}, \
	.control = {WORKED, ECONNREFUSED, EAFNOSUPPORT, ESOCKTNOSUPPORT, ENODEV}, .may_be_absent = true}

static const struct probe rows[] = {
	SOCKET("packets of every link", EAFNOSUPPORT, AF_PACKET, SOCK_RAW, 0x0300),
	SOCKET("packets without their header", EAFNOSUPPORT, AF_PACKET, SOCK_DGRAM, 0x0300),
	SOCKET("packets the old way", ESOCKTNOSUPPORT, AF_INET, SOCK_PACKET, 0x0300),
	SOCKET("raw IP", EPERM, AF_INET, SOCK_RAW, IPPROTO_RAW),
	SOCKET("raw ICMP", EPERM, AF_INET, SOCK_RAW, IPPROTO_ICMP),
	SOCKET("raw TCP", EPERM, AF_INET, SOCK_RAW, IPPROTO_TCP),
	SOCKET("raw IP version 6", EPERM, AF_INET6, SOCK_RAW, IPPROTO_RAW),
	SOCKET("raw ICMP version 6", EPERM, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6),

	TERMINAL("TIOCSTI", WORKED, TIOCSTI, 0),
	TERMINAL("TIOCSTI in a 64-bit argument", WORKED, TIOCSTI, HIGH_BITS),
	/* A pseudo-terminal is no console: ENOTTY. */
	TERMINAL("TIOCLINUX", ENOTTY, TIOCLINUX, 0),
	TERMINAL("TIOCLINUX in a 64-bit argument", ENOTTY, TIOCLINUX, HIGH_BITS),
	TERMINAL("TIOCSETD", WORKED, TIOCSETD, 0),
	TERMINAL("TIOCSETD in a 64-bit argument", WORKED, TIOCSETD, HIGH_BITS),

	OUT_OF_BAND("MSG_OOB of send", SYS_sendto, AF_UNIX), OUT_OF_BAND("MSG_OOB of sendmsg", SYS_sendmsg, AF_UNIX),
	OUT_OF_BAND("MSG_OOB of sendmmsg", SYS_sendmmsg, AF_UNIX), OUT_OF_BAND("MSG_OOB of recv", SYS_recvfrom, AF_UNIX),
	OUT_OF_BAND("MSG_OOB of recvmsg", SYS_recvmsg, AF_UNIX),
	OUT_OF_BAND("MSG_OOB of recvmmsg", SYS_recvmmsg, AF_UNIX),
	OUT_OF_BAND("MSG_OOB of send by TCP", SYS_sendto, AF_INET),

	VSOCK("vsock stream to the hypervisor", 0, SOCK_STREAM), VSOCK("vsock stream to oneself", 1, SOCK_STREAM),
	VSOCK("vsock stream to the host", 2, SOCK_STREAM), VSOCK("vsock packets to the host", 2, SOCK_DGRAM),
	VSOCK("vsock messages to the host", 2, SOCK_SEQPACKET),
};
/* clang-format on */

const struct probe_family probe_sockets = PROBE_FAMILY(rows);
