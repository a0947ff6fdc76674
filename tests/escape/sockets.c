/*
 * E17 packets and raw sockets   E18 input pushed into a terminal   E19 out-of-band data   E20 vsock
 * E81 rare families, and netlink beyond routes   E82 rare protocols of IP   E83 options of sockets
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
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

/*
 * p->call: family, type, value. The option is p->other of level p->number; its value that, or p->text. Of TCP it is
 * a connection, which layers want.
 */
static int try_option(const struct probe *p)
{
	int fds[2] = {-1, -1}, value = (int)p->call[2];
	const void *at = p->text ? p->text : (const void *)&value;
	size_t size = p->text ? strlen(p->text) : sizeof(value);

	if (p->call[1] != SOCK_STREAM)
		fds[0] = socket((int)p->call[0], (int)p->call[1], 0);
	else if (stream_pair(AF_INET, fds) < 0)
		return -EIO;
	if (fds[0] < 0)
		return -EIO;
	return probe_result(syscall(SYS_setsockopt, fds[0], p->number, p->other, at, size));
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

/* A kernel without it answers as the wall does. */
#define FAMILY(title, number, type, protocol) {.id = "E81", .name = title, \
	.call = {SYS_socket, number, type, protocol}, .refused = {EAFNOSUPPORT}, \
	.control = {WORKED, EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT}, .may_be_absent = true}
#define NETLINK(title, protocol) {.id = "E81", .name = "netlink: " title, \
	.call = {SYS_socket, AF_NETLINK, SOCK_RAW, protocol}, .refused = {EAFNOSUPPORT}, \
	.control = {WORKED, EPROTONOSUPPORT}}
#define PROTOCOL(title, refusal, family, type, number) {.id = "E82", .name = title, \
	.call = {SYS_socket, family, type, number}, .refused = {refusal}, \
	.control = {WORKED, EPROTONOSUPPORT, ESOCKTNOSUPPORT}, .may_be_absent = true}
#define OPTION(title, refusal, family, type, level, option, to) {.id = "E83", .name = title, \
	.attempt = try_option, .call = {family, type, to}, .number = level, .other = option, \
	.refused = {refusal}, .control = {WORKED}}
/* ENOENT: a kernel without the layer. */
#define LAYER(title, level, layer) {.id = "E83", .name = title, .attempt = try_option, \
	.call = {AF_INET, SOCK_STREAM}, .number = level, .other = TCP_ULP, .text = layer, \
	.refused = {EPERM}, .control = {WORKED, ENOENT}}

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

	FAMILY("amateur radio", AF_AX25, SOCK_DGRAM, 0), FAMILY("IPX", AF_IPX, SOCK_DGRAM, 0),
	FAMILY("AppleTalk", AF_APPLETALK, SOCK_DGRAM, 0), FAMILY("X.25", AF_X25, SOCK_SEQPACKET, 0),
	FAMILY("keys of IPsec", AF_KEY, SOCK_RAW, 2), FAMILY("ATM", AF_ATMPVC, SOCK_DGRAM, 0),
	FAMILY("RDS", AF_RDS, SOCK_SEQPACKET, 0), FAMILY("PPP over others", AF_PPPOX, SOCK_STREAM, 0),
	FAMILY("LLC", AF_LLC, SOCK_DGRAM, 0), FAMILY("CAN", AF_CAN, SOCK_RAW, 1),
	FAMILY("TIPC", AF_TIPC, SOCK_RDM, 0), FAMILY("Bluetooth", AF_BLUETOOTH, SOCK_RAW, 1),
	FAMILY("RxRPC", AF_RXRPC, SOCK_DGRAM, AF_INET), FAMILY("Phonet", AF_PHONET, SOCK_DGRAM, 0),
	FAMILY("IEEE 802.15.4", AF_IEEE802154, SOCK_DGRAM, 0), FAMILY("CAIF", AF_CAIF, SOCK_SEQPACKET, 0),
	FAMILY("the kernel's cryptography", AF_ALG, SOCK_SEQPACKET, 0), FAMILY("NFC", AF_NFC, SOCK_SEQPACKET, 1),
	FAMILY("KCM", AF_KCM, SOCK_DGRAM, 0), FAMILY("Qualcomm's router", AF_QIPCRTR, SOCK_DGRAM, 0),
	FAMILY("SMC", AF_SMC, SOCK_STREAM, 0), FAMILY("XDP", AF_XDP, SOCK_RAW, 0),
	FAMILY("MCTP", 45, SOCK_DGRAM, 0), FAMILY("a family of no number", 200, SOCK_DGRAM, 0),

	NETLINK("of users", 2), NETLINK("tables of sockets", 4), NETLINK("logs of packets", 5),
	NETLINK("IPsec", 6), NETLINK("SELinux", 7), NETLINK("iSCSI", 8), NETLINK("audit", 9),
	NETLINK("look-up of routes", 10), NETLINK("connector", 11), NETLINK("packet filters", 12),
	NETLINK("events of devices", 15), NETLINK("generic", 16), NETLINK("SCSI", 18), NETLINK("RDMA", 20),
	NETLINK("cryptography", 21), NETLINK("SMC", 22),

	PROTOCOL("SCTP", EPROTONOSUPPORT, AF_INET, SOCK_STREAM, 132),
	PROTOCOL("SCTP of IP version 6", EPROTONOSUPPORT, AF_INET6, SOCK_STREAM, 132),
	PROTOCOL("SCTP, many at a time", ESOCKTNOSUPPORT, AF_INET, SOCK_SEQPACKET, 132),
	PROTOCOL("DCCP", ESOCKTNOSUPPORT, AF_INET, SOCK_DCCP, 33),
	PROTOCOL("DCCP by its number", EPROTONOSUPPORT, AF_INET, SOCK_STREAM, 33),
	PROTOCOL("UDP-Lite", EPROTONOSUPPORT, AF_INET, SOCK_DGRAM, 136),
	PROTOCOL("UDP-Lite of IP version 6", EPROTONOSUPPORT, AF_INET6, SOCK_DGRAM, 136),
	PROTOCOL("MPTCP", EPROTONOSUPPORT, AF_INET, SOCK_STREAM, 262),
	PROTOCOL("MPTCP of IP version 6", EPROTONOSUPPORT, AF_INET6, SOCK_STREAM, 262),
	PROTOCOL("MPTCP in a 64-bit argument", EPROTONOSUPPORT, AF_INET, SOCK_STREAM, HIGH_BITS | 262),
	PROTOCOL("L2TP", EPROTONOSUPPORT, AF_INET, SOCK_DGRAM, 115),
	PROTOCOL("L2TP of IP version 6", EPROTONOSUPPORT, AF_INET6, SOCK_DGRAM, 115),

	LAYER("TLS in the kernel", IPPROTO_TCP, "tls"), LAYER("IPsec in TCP", IPPROTO_TCP, "espintcp"),
	LAYER("SMC in the place of TCP", IPPROTO_TCP, "smc"),
	LAYER("TLS in the kernel, in a 64-bit argument", HIGH_BITS | IPPROTO_TCP, "tls"),
	OPTION("IPsec in UDP", EPERM, AF_INET, SOCK_DGRAM, IPPROTO_UDP, 100, 2),
	OPTION("L2TP in UDP", EPERM, AF_INET, SOCK_DGRAM, IPPROTO_UDP, 100, 3),
	OPTION("IPsec in UDP of IP version 6", EPERM, AF_INET6, SOCK_DGRAM, IPPROTO_UDP, 100, 2),
	OPTION("IPsec in UDP, in a 64-bit argument", EPERM, AF_INET, SOCK_DGRAM, IPPROTO_UDP, HIGH_BITS | 100, 2),
	OPTION("a connection that was another's", EPERM, AF_INET, SOCK_STREAM, IPPROTO_TCP, TCP_REPAIR, 0),
	OPTION("marks of packets", EPERM, AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_MARK, 1),
	OPTION("a high priority", EPERM, AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_PRIORITY, 7),
	OPTION("a receive buffer beyond the limit", EPERM, AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20),
	OPTION("a send buffer beyond the limit", EPERM, AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_SNDBUFFORCE, 1 << 20),
	OPTION("debugging", EACCES, AF_INET, SOCK_DGRAM, SOL_SOCKET, SO_DEBUG, 1),
	OPTION("addresses of others", EPERM, AF_INET, SOCK_DGRAM, IPPROTO_IP, IP_TRANSPARENT, 1),
	OPTION("addresses of others, of IP version 6", EPERM, AF_INET6, SOCK_DGRAM, IPPROTO_IPV6, 75, 1),
};
/* clang-format on */

const struct probe_family probe_sockets = PROBE_FAMILY(rows);
