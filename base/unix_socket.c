#define _GNU_SOURCE 1 /* accept4, struct ucred, O_PATH */
#include "base/unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

#define PATH_LENGTH_MAX 4095
#define LISTEN_BACKLOG	1024

/* Where a socket file is: its directory, its name there, and an address that reaches it. */
struct place {
	int dirfd;
	char name[UNIX_SOCKET_NAME_MAX + 1];
	struct sockaddr_un address;
};

static void place_finish(struct place *place)
{
	fd_close(place->dirfd);
}
#define auto_place __attribute__((cleanup(place_finish)))

static int open_directory_of(int dirfd, const char *path, size_t length, struct error *err)
{
	char directory[PATH_LENGTH_MAX + 1];
	int fd;

	if (length > PATH_LENGTH_MAX)
		return error_set(err, ENAMETOOLONG, "socket path of %zu bytes", length);
	memcpy(directory, path, length);
	directory[length] = '\0';
	fd = openat(dirfd, length > 0 ? directory : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? error_errno(err, "open %s", directory) : fd;
}

static int place_find(int dirfd, const char *path, struct place *place, struct error *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (name[0] == '\0' || text_copy(place->name, sizeof(place->name), name) < 0)
		return error_set(err, ENAMETOOLONG, "socket name '%.100s': want 1 to %d bytes",
			name, UNIX_SOCKET_NAME_MAX);
	place->dirfd = open_directory_of(dirfd, path, (size_t)(name - path), err);
	if (place->dirfd < 0)
		return place->dirfd;
	memset(&place->address, 0, sizeof(place->address));
	place->address.sun_family = AF_UNIX;
	/* The plain path where it fits, because ss(8) and getsockname(2) show it to people. */
	if ((dirfd == AT_FDCWD || path[0] == '/') &&
		text_copy(place->address.sun_path, sizeof(place->address.sun_path), path) == 0)
		return 0;
	snprintf(place->address.sun_path, sizeof(place->address.sun_path), "/proc/self/fd/%d/%s",
		place->dirfd, place->name);
	return 0;
}

static int place_connect(const struct place *place, int type)
{
	auto_close int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&place->address, sizeof(place->address)) < 0)
		return -errno;
	return take_fd(&fd);
}

/* Remove what an earlier life has left. 0: the name is free now. */
static int place_clear(const struct place *place, int type, struct error *err)
{
	struct stat st;
	int r;

	if (fstatat(place->dirfd, place->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : error_errno(err, "stat");
	if (!S_ISSOCK(st.st_mode))
		return error_set(err, EEXIST, "something else than a socket stands there");
	r = place_connect(place, type);
	if (r >= 0)
		fd_close(r);
	if (r >= 0 || r == -EAGAIN ||
		r == -EPROTOTYPE) /* its queue is full, or of the other type */
		return error_set(err, EADDRINUSE, "somebody answers there already");
	if (r != -ECONNREFUSED)
		return error_set(err, -r, "ask whether somebody answers: %s", strerror(-r));
	if (unlinkat(place->dirfd, place->name, 0) < 0 && errno != ENOENT)
		return error_errno(err, "unlink the stale socket");
	return 0;
}

/* Nobody can connect before listen(), so mode and group are in force for the first who does. */
static int place_bind(const struct place *place, int fd, mode_t mode, gid_t gid, struct error *err)
{
	if (bind(fd, (const struct sockaddr *)&place->address, sizeof(place->address)) < 0)
		return error_errno(err, "bind");
	if (gid != (gid_t)-1 && fchownat(place->dirfd, place->name, (uid_t)-1, gid, 0) < 0)
		return error_errno(err, "chgrp");
	if (fchmodat(place->dirfd, place->name, mode, 0) < 0)
		return error_errno(err, "chmod");
	if (listen(fd, LISTEN_BACKLOG) < 0)
		return error_errno(err, "listen");
	return 0;
}

int unix_socket_listen(
	int dirfd, const char *path, int type, mode_t mode, gid_t gid, struct error *err)
{
	auto_place struct place place = {.dirfd = -1};
	auto_close int fd = -1;
	int r;

	r = place_find(dirfd, path, &place, err);
	if (r < 0)
		return r;
	r = place_clear(&place, type, err);
	if (r < 0)
		return error_prefix(err, r, "listen on %s", path);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_errno(err, "listen on %s: socket", path);
	r = place_bind(&place, fd, mode, gid, err);
	if (r < 0) {
		if (r != -EADDRINUSE)
			unlinkat(place.dirfd, place.name, 0);
		return error_prefix(err, r, "listen on %s", path);
	}
	return take_fd(&fd);
}

int unix_socket_connect(int dirfd, const char *path, int type, struct error *err)
{
	auto_place struct place place = {.dirfd = -1};
	int r;

	r = place_find(dirfd, path, &place, err);
	if (r < 0)
		return r;
	r = place_connect(&place, type);
	if (r < 0)
		return error_set(err, -r, "connect to %s: %s", path, strerror(-r));
	return r;
}

int unix_socket_accept(int listener, struct unix_socket_peer *ret_peer, struct error *err)
{
	auto_close int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int r;

	if (fd < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (fd < 0)
		return error_errno(err, "accept");
	r = unix_socket_peer(fd, ret_peer, err);
	return r < 0 ? r : take_fd(&fd);
}

int unix_socket_peer(int fd, struct unix_socket_peer *ret_peer, struct error *err)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return error_errno(err, "SO_PEERCRED");
	ret_peer->pid = credentials.pid;
	ret_peer->uid = credentials.uid;
	ret_peer->gid = credentials.gid;
	return 0;
}
