/*
 * channel.h - one message per packet over a Unix SEQPACKET socket, with file descriptors beside it.
 *
 * Knows sizes and fds, not meanings: what a message may hold is in check.h. All received fds are
 * close-on-exec. Used by every side; never blocks on a non-blocking socket.
 */
#ifndef PROTO_CHANNEL_H
#define PROTO_CHANNEL_H
#include <stddef.h>
#include <sys/types.h>

struct error;

#define CHANNEL_FDS_MAX 16
#define CHANNEL_NEAR_US 60
#define CHANNEL_BUSY_NS 1000000 /* a connection quiet for longer gains nothing by looking */

/* A connected, close-on-exec, blocking pair. 0 or -errno. */
int channel_pair(int ret_fds[2], struct error *err);

/*
 * Send one packet made of up to two parts (second may be NULL/0) and count fds, which stay the
 * caller's. Returns 0; -EAGAIN when the socket is full (expected on a non-blocking socket); -EPIPE
 * when the peer has gone; other -errno. Never raises SIGPIPE.
 */
int channel_send(int socket, const void *head, size_t head_size, const void *body, size_t body_size,
	const int *fds, size_t count);

/*
 * Receive one packet. Returns its size (0: the peer has closed); -EAGAIN: nothing there (expected);
 * -EMSGSIZE: the packet was larger than size; -EPROTO: more fds than CHANNEL_FDS_MAX. On any
 * failure the received fds are closed. On success ret_fds[0..*ret_count-1] are the caller's.
 */
ssize_t channel_receive(
	int socket, void *buffer, size_t size, int ret_fds[CHANNEL_FDS_MAX], size_t *ret_count);

/*
 * As channel_receive() on a blocking socket, for an answer that is near: looks for it for up to
 * CHANNEL_NEAR_US, leaving the CPU to others in between, before it sleeps. When the peer runs on another
 * core that saves our own wake-up, 20-30 us; on the same core the peer runs meanwhile.
 */
ssize_t channel_receive_near(
	int socket, void *buffer, size_t size, int ret_fds[CHANNEL_FDS_MAX], size_t *ret_count);

/* Close count received fds that nobody wants. */
void channel_close_fds(int *fds, size_t count);
#endif
