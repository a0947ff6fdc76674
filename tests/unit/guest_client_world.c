#include "tests/unit/guest_client_world.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "proto/channel.h"

const char *const world_true[] = {"true", NULL};

int world_set_up(void **state)
{
	static struct world w;
	int ends[2];

	w = (struct world){.fds_before = fd_count_open()};
	*state = &w;
	if (channel_pair(ends, NULL) < 0)
		return -1;
	w.guest = ends[1];
	if (fd_set_nonblocking(w.guest, true) < 0)
		return -1;
	return guest_client_create(ends[0], &w.client, NULL);
}

static void ignore_reply(void *arg, const struct guest_reply *reply)
{
	(void)arg;
	(void)reply;
}

/* What a test left in flight is replied to nobody: its struct asked is gone with the test's stack. */
int world_tear_down(void **state)
{
	struct world *w = *state;

	if (w->client)
		list_for_each(at, &w->client->requests) list_entry(at, struct guest_request, list)
			->callbacks.on_reply = ignore_reply;
	guest_client_destroy(w->client);
	fd_close(w->guest);
	return fd_count_open() == w->fds_before ? 0 : -1;
}

int world_process(struct world *w)
{
	return guest_client_process(w->client, &w->err);
}

static void on_output(void *arg, enum guest_stream stream, const void *data, uint32_t size)
{
	struct asked *asked = arg;

	assert_int_equal(asked->replies, 0);
	if (asked->outputs++ == 0)
		memcpy(asked->output, data,
			size < sizeof(asked->output) ? size : sizeof(asked->output) - 1);
	asked->streams |= 1u << stream;
	asked->output_bytes += size;
	if (asked->react)
		asked->react(asked);
}

static void on_credit(void *arg)
{
	struct asked *asked = arg;

	assert_int_equal(asked->replies, 0);
	asked->credits++;
	if (asked->react)
		asked->react(asked);
}

static void on_reply(void *arg, const struct guest_reply *reply)
{
	struct asked *asked = arg;

	assert_int_equal(asked->replies, 0);
	asked->replies++;
	asked->reply = *reply;
	asked->request = NULL;
	if (asked->react)
		asked->react(asked);
}

static struct guest_callbacks prepare(struct world *w, struct asked *asked)
{
	*asked = (struct asked){.world = w, .react = asked->react};
	return (struct guest_callbacks){on_output, on_credit, on_reply, asked};
}

static int started(struct asked *asked, int r)
{
	assert_int_equal(r < 0, asked->request == NULL);
	if (r == 0)
		asked->id = asked->request->entry.id;
	return r;
}

int world_exec_options(
	struct world *w, const struct guest_exec_options *options, struct asked *asked)
{
	struct guest_callbacks callbacks = prepare(w, asked);

	return started(
		asked, guest_client_exec(w->client, options, &callbacks, &asked->request, &w->err));
}

int world_exec(struct world *w, uint32_t flags, struct asked *asked)
{
	struct guest_exec_options options = {.argv = world_true, .flags = flags};

	return world_exec_options(w, &options, asked);
}

int world_file_options(
	struct world *w, const struct guest_file_options *options, struct asked *asked)
{
	struct guest_callbacks callbacks = prepare(w, asked);

	return started(
		asked, guest_client_file(w->client, options, &callbacks, &asked->request, &w->err));
}

int world_file(struct world *w, uint16_t type, struct asked *asked)
{
	struct guest_file_options options = {.type = type, .path = "/etc/passwd"};

	if (type == GUEST_GLOB || type == GUEST_GREP)
		options.pattern = "x";
	if (type == GUEST_GREP)
		options.include = "";
	return world_file_options(w, &options, asked);
}

bool world_read(struct world *w, struct read_packet *packet)
{
	const struct message_rule *rule;
	int fds[CHANNEL_FDS_MAX];
	size_t fd_count;
	ssize_t n = channel_receive(w->guest, packet->bytes, sizeof(packet->bytes), fds, &fd_count);

	if (n <= 0)
		return false;
	assert_int_equal(check_message(&guest_protocol, MESSAGE_TO_SERVER, packet->bytes, (size_t)n,
				 fd_count, &rule, NULL),
		0);
	memcpy(&packet->header, packet->bytes, sizeof(packet->header));
	assert_int_equal(fd_count, guest_fd_count((const void *)packet->bytes));
	memcpy(packet->fds, fds, fd_count * sizeof(*fds));
	packet->fd_count = fd_count;
	return true;
}

void world_expect(struct world *w, uint16_t type, uint32_t id, struct read_packet *packet)
{
	assert_true(world_read(w, packet));
	assert_int_equal(packet->header.type, type);
	assert_int_equal(packet->header.id, id);
}

void world_send_raw(struct world *w, const void *bytes, size_t size)
{
	assert_int_equal(channel_send(w->guest, bytes, size, NULL, 0, NULL, 0), 0);
}

void world_output(struct world *w, uint32_t id, uint32_t stream, const void *data, size_t size)
{
	struct guest_output m = {.stream = stream};

	guest_header(&m.header, GUEST_OUTPUT, (uint32_t)(sizeof(m) + size), id);
	assert_int_equal(channel_send(w->guest, &m, sizeof(m), data, size, NULL, 0), 0);
}

void world_credit(struct world *w, uint32_t id, uint32_t bytes)
{
	struct guest_credit m = {.bytes = bytes};

	guest_header(&m.header, GUEST_CREDIT, sizeof(m), id);
	world_send_raw(w, &m, sizeof(m));
}

void world_reply(struct world *w, uint32_t id)
{
	struct guest_reply m = {.end = GUEST_END_DONE, .exit_status = 3};

	guest_header(&m.header, GUEST_REPLY, sizeof(m), id);
	world_send_raw(w, &m, sizeof(m));
}

void world_assert_lost(struct world *w, int code, const char *why, const struct asked *asked)
{
	struct asked more = {0};

	assert_int_equal(world_process(w), -code);
	assert_int_equal(w->err.code, code);
	if (!strstr(w->err.text, why))
		fail_msg("lost for another reason than %s: %s", why, w->err.text);
	assert_true(guest_client_is_lost(w->client));
	assert_false(guest_client_wants_write(w->client));
	assert_int_equal(guest_client_in_flight(w->client), 0);
	assert_int_equal(world_process(w), -code); /* and again */
	assert_int_equal(world_exec(w, 0, &more), -EPIPE);
	assert_int_equal(more.replies, 0);
	if (!asked)
		return;
	assert_int_equal(asked->replies, 1);
	assert_int_equal(asked->reply.end, GUEST_END_LOST);
	assert_int_equal(asked->reply.error, 0);
	assert_int_equal(asked->reply.header.id, asked->id);
	assert_string_not_equal(asked->reply.text, "");
}
