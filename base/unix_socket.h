/*
 * unix_socket.h - listen, connect and accept on Unix sockets that have a path.
 *
 * A path may be relative to a directory fd (or AT_FDCWD) and longer than sun_path (108 bytes): it is
 * then reached as /proc/self/fd/N/NAME, where N is its directory; only NAME is limited (80 bytes).
 * type is SOCK_SEQPACKET or SOCK_STREAM. Every fd made here is close-on-exec and non-blocking.
 */
#ifndef BASE_UNIX_SOCKET_H
#define BASE_UNIX_SOCKET_H
#include <sys/types.h>

struct error;

#define UNIX_SOCKET_NAME_MAX 80

struct unix_socket_peer {
	pid_t pid; /* 0: in a pid namespace that we do not see */
	uid_t uid;
	gid_t gid;
};

/*
 * A listener whose socket file has this mode (whatever the umask) and this group ((gid_t)-1: ours).
 * A socket that nobody answers any more is replaced; -EADDRINUSE when somebody does; -EEXIST when
 * something else than a socket stands there. Two at a time could replace each other's: hold a lock.
 * Returns the fd or -errno.
 */
int unix_socket_listen(
	int dirfd, const char *path, int type, mode_t mode, gid_t gid, struct error *err);

/*
 * Connect without waiting. Returns the fd; -ENOENT or -ECONNREFUSED: nobody listens; -EAGAIN: its
 * queue is full, try later; -EPROTOTYPE: it listens for the other type; other -errno.
 */
int unix_socket_connect(int dirfd, const char *path, int type, struct error *err);

/* Take one connection. Returns its fd; -EAGAIN: none there (expected, *err is not set); -errno. */
int unix_socket_accept(int listener, struct unix_socket_peer *ret_peer, struct error *err);

/* Who was at the other end when the connection was made (SO_PEERCRED), on either end. 0 or -errno. */
int unix_socket_peer(int fd, struct unix_socket_peer *ret_peer, struct error *err);
#endif
