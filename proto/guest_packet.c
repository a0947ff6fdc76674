#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "proto/channel.h"
#include "proto/guest_client_private.h"

struct guest_packet *guest_packet_new(size_t size)
{
	struct guest_packet *packet = calloc(1, sizeof(*packet) + size);

	if (!packet)
		return NULL;
	list_init(&packet->queue);
	list_init(&packet->of_request);
	packet->size = (uint32_t)size;
	return packet;
}

void guest_packet_free(struct guest_packet *packet)
{
	if (packet->request)
		packet->request->client->queued_bytes -= guest_packet_cost(packet->size);
	list_remove(&packet->queue);
	list_remove(&packet->of_request);
	channel_close_fds(packet->fds, packet->fd_count);
	free(packet);
}

static bool is_null(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* See guest_exec_options.stdio. */
static int check_stdio(int fd, int which, struct error *err)
{
	const int wanted = which == 0 ? O_RDONLY : O_WRONLY;
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0)
		return error_errno(err, "fd %d of the command", which);
	if (flags & O_PATH || !(S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode) || is_null(&st)))
		return error_set(
			err, EINVAL, "fd %d of the command: neither pipe nor regular file", which);
	if ((flags & O_ACCMODE) != wanted && !is_null(&st))
		return error_set(err, EINVAL, "fd %d of the command: not open for %s only", which,
			which == 0 ? "reading" : "writing");
	if (which == 0 && S_ISREG(st.st_mode) && st.st_mode & S_IWOTH)
		return error_set(
			err, EINVAL, "fd %d of the command: everybody may write the file", which);
	return 0;
}

int guest_packet_add_stdio(
	struct guest_packet *packet, const struct guest_exec_options *options, struct error *err)
{
	for (int i = 0; i < GUEST_EXEC_FDS_MAX; i++) {
		int fd, r;

		if (!(options->flags & guest_exec_fd_flag(i)))
			continue;
		r = check_stdio(options->stdio[i], i, err);
		if (r < 0)
			return r;
		fd = fcntl(options->stdio[i], F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return error_errno(err, "fd %d of the command", i);
		packet->fds[packet->fd_count++] = fd;
	}
	return 0;
}

int guest_packet_check(const struct guest_packet *packet, struct error *err)
{
	const struct message_rule *rule;
	int r = check_message(&guest_protocol, MESSAGE_TO_SERVER, packet->bytes, packet->size,
		packet->fd_count, &rule, err);

	if (r == 0)
		return 0;
	r = r == -EMSGSIZE ? -E2BIG : -EINVAL;
	if (err)
		err->code = -r;
	return r;
}

void guest_packet_enqueue(struct guest_request *request, struct guest_packet *packet)
{
	struct guest_client *client = request->client;

	packet->request = request;
	list_append(&client->queue, &packet->queue);
	list_append(&request->packets, &packet->of_request);
	client->queued_bytes += guest_packet_cost(packet->size);
}

int guest_packet_flush(struct guest_client *client)
{
	struct guest_packet *packet;

	while ((packet = list_first(&client->queue, struct guest_packet, queue))) {
		int r = -EPIPE;

		if (!client->is_broken)
			r = channel_send(client->channel, packet->bytes, packet->size, NULL, 0,
				packet->fds, packet->fd_count);
		/* Too many fds of this user are on their way to others, who will take them. */
		if (r == -EAGAIN || r == -ETOOMANYREFS)
			break;
		if (r < 0)
			client->is_broken = true; /* the rest of the queue is of no use either */
		packet->request->is_sent = true;
		guest_packet_free(packet);
	}
	if (client->queued_bytes > GUEST_CLIENT_QUEUE_MAX / 2)
		client->was_full = true;
	return client->is_broken ? -EPIPE : 0;
}
