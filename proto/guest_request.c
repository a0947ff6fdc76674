#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/guest_client_private.h"

void guest_request_free(struct guest_request *request)
{
	struct guest_packet *packet;

	while ((packet = list_first(&request->packets, struct guest_packet, of_request)))
		guest_packet_free(packet);
	if (request->entry.id)
		guest_table_remove(&request->client->table, &request->entry);
	list_remove(&request->list);
	list_remove(&request->writers);
	free(request);
}

static int check_room(const struct guest_client *client, uint32_t size, struct error *err)
{
	if (client->is_lost)
		return error_set(err, EPIPE, "%s", client->lost.text);
	if (client->is_broken)
		return error_set(err, EPIPE, "the sandbox has ended");
	if (client->table.count >= GUEST_REQUESTS_MAX)
		return error_set(err, EBUSY, "%u requests are in flight", client->table.count);
	if (client->queued_bytes + guest_packet_cost(size) > GUEST_CLIENT_QUEUE_MAX)
		return error_set(err, EBUSY, "the sandbox does not read: %zu bytes wait for it",
			client->queued_bytes);
	return 0;
}

static struct guest_request *request_new(
	struct guest_client *client, uint16_t type, const struct guest_callbacks *callbacks)
{
	struct guest_request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	request->client = client;
	request->callbacks = *callbacks;
	request->type = type;
	list_init(&request->list);
	list_init(&request->writers);
	list_init(&request->packets);
	if (guest_table_add(&client->table, &request->entry) < 0) {
		free(request);
		return NULL;
	}
	list_append(&client->requests, &request->list);
	return request;
}

/* What it may answer, from what it asks. */
static void allow(struct guest_request *request, bool takes_input, uint32_t streams, uint64_t bytes)
{
	request->streams = streams;
	request->may_come = bytes;
	request->takes_input = takes_input;
	if (takes_input) {
		request->credit = GUEST_INPUT_CREDIT;
		list_append(&request->client->writers, &request->writers);
	}
}

/* Give the packet its id and send it. The packet is gone either way, on failure the request too. */
static int submit(struct guest_request *request, struct guest_packet *packet, struct error *err)
{
	struct message_header *h = (struct message_header *)(void *)packet->bytes;
	int r;

	guest_header(h, request->type, packet->size, request->entry.id);
	r = guest_packet_check(packet, err);
	if (r < 0) {
		guest_packet_free(packet);
		guest_request_free(request);
		return r;
	}
	guest_packet_enqueue(request, packet);
	if (guest_packet_flush(request->client) < 0) {
		guest_request_free(request);
		return error_set(err, EPIPE, "the sandbox has ended");
	}
	return 0;
}

/* Adds to *size, which need not be exact beyond GUEST_ARGUMENTS_MAX. Returns the number of strings. */
static uint32_t measure(const char *const *strings, size_t *size)
{
	uint32_t count = 0;

	while (strings && strings[count] && *size <= GUEST_ARGUMENTS_MAX)
		*size += strlen(strings[count++]) + 1;
	return count;
}

static char *put(char *at, const char *const *strings)
{
	for (; strings && *strings; strings++)
		at = stpcpy(at, *strings) + 1;
	return at;
}

/*
 * A packet of a struct of fixed_size and the strings of up to three lists, with a request for it.
 * Only the strings are filled.
 */
static int prepare(struct guest_client *client, uint16_t type, size_t fixed_size,
	const char *const *const lists[3], const struct guest_callbacks *callbacks,
	struct guest_request **ret_request, struct guest_packet **ret_packet, uint32_t counts[3],
	struct error *err)
{
	size_t size = 0;
	char *at;
	int r;

	for (int i = 0; i < 3; i++)
		counts[i] = measure(lists[i], &size);
	if (size > GUEST_ARGUMENTS_MAX)
		return error_set(
			err, E2BIG, "arguments of more than %u bytes", GUEST_ARGUMENTS_MAX);
	r = check_room(client, (uint32_t)(fixed_size + size), err);
	if (r < 0)
		return r;
	*ret_packet = guest_packet_new(fixed_size + size);
	*ret_request = *ret_packet ? request_new(client, type, callbacks) : NULL;
	if (!*ret_request) {
		free(*ret_packet);
		return error_set(err, ENOMEM, "out of memory");
	}
	at = (*ret_packet)->bytes + fixed_size;
	for (int i = 0; i < 3; i++)
		at = put(at, lists[i]);
	return 0;
}

int guest_client_exec(struct guest_client *client, const struct guest_exec_options *options,
	const struct guest_callbacks *callbacks, struct guest_request **ret_request,
	struct error *err)
{
	const char *const cwd[] = {options->cwd ? options->cwd : "", NULL};
	const char *const *const lists[] = {options->argv, options->env, cwd};
	struct guest_request *request;
	struct guest_packet *packet;
	struct guest_exec *m;
	uint32_t counts[3];
	uint32_t streams = 0;
	int r;

	r = prepare(
		client, GUEST_EXEC, sizeof(*m), lists, callbacks, &request, &packet, counts, err);
	if (r < 0)
		return r;
	m = (struct guest_exec *)(void *)packet->bytes;
	m->flags = options->flags;
	m->argc = counts[0];
	m->envc = counts[1];
	m->timeout_ms = options->timeout_ms;
	m->rows = options->rows;
	m->columns = options->columns;
	m->output_max = options->output_max;
	if (!(options->flags & GUEST_EXEC_FD_STDOUT))
		streams |= 1u << GUEST_STDOUT;
	if (!(options->flags & (GUEST_EXEC_PTY | GUEST_EXEC_FD_STDERR)))
		streams |= 1u << GUEST_STDERR;
	allow(request, options->flags & GUEST_EXEC_STDIN, streams,
		options->output_max ? options->output_max : UINT64_MAX);
	r = guest_packet_add_stdio(packet, options, err);
	if (r < 0) {
		guest_packet_free(packet);
		guest_request_free(request);
		return r;
	}
	r = submit(request, packet, err);
	if (r == 0 && ret_request)
		*ret_request = request;
	return r;
}

int guest_client_file(struct guest_client *client, const struct guest_file_options *options,
	const struct guest_callbacks *callbacks, struct guest_request **ret_request,
	struct error *err)
{
	const char *const path[] = {options->path, NULL};
	const char *const pattern[] = {options->pattern, NULL};
	const char *const include[] = {options->include, NULL};
	const char *const *const lists[] = {path, pattern, include};
	bool takes_input = options->type == GUEST_WRITE || options->type == GUEST_EDIT;
	struct guest_request *request;
	struct guest_packet *packet;
	struct guest_file *m;
	uint32_t counts[3];
	int r;

	if (options->type < GUEST_READ || options->type > GUEST_GREP)
		return error_set(err, EINVAL, "type %u is no file request", options->type);
	r = prepare(client, options->type, sizeof(*m), lists, callbacks, &request, &packet, counts,
		err);
	if (r < 0)
		return r;
	m = (struct guest_file *)(void *)packet->bytes;
	m->flags = options->flags;
	m->timeout_ms = options->timeout_ms;
	m->offset = options->offset;
	m->length = options->length;
	m->max_bytes = options->max_bytes;
	allow(request, takes_input, takes_input ? 0 : 1u << GUEST_DATA,
		options->max_bytes ? options->max_bytes : GUEST_FILE_OUTPUT);
	r = submit(request, packet, err);
	if (r == 0 && ret_request)
		*ret_request = request;
	return r;
}

uint32_t guest_request_credit(const struct guest_request *request)
{
	const struct guest_client *client = request->client;
	size_t chunk = guest_packet_cost(sizeof(struct guest_input) + GUEST_CHUNK_MAX);
	size_t room = 0;

	if (client->queued_bytes < GUEST_CLIENT_QUEUE_MAX)
		room = (GUEST_CLIENT_QUEUE_MAX - client->queued_bytes) / chunk * GUEST_CHUNK_MAX;
	return room < request->credit ? (uint32_t)room : request->credit;
}

/* One chunk of INPUT at the end of packets. */
static int make_input(const struct guest_request *request, const char *data, uint32_t size,
	bool is_end, struct list *packets)
{
	struct guest_packet *packet = guest_packet_new(sizeof(struct guest_input) + size);
	struct guest_input *m;

	if (!packet)
		return -ENOMEM;
	m = (struct guest_input *)(void *)packet->bytes;
	guest_header(&m->header, GUEST_INPUT, packet->size, request->entry.id);
	m->is_end = is_end;
	if (size > 0)
		memcpy(m + 1, data, size);
	list_append(packets, &packet->queue);
	return 0;
}

int guest_request_input(struct guest_request *request, const void *data, uint32_t size, bool is_end)
{
	const char *at = data;
	uint32_t left = size;
	struct guest_packet *packet;
	struct list made;
	int r = 0;

	if (!request->takes_input || request->had_end)
		return -EINVAL;
	if (request->client->is_lost || request->client->is_broken)
		return -EPIPE;
	if (size > guest_request_credit(request))
		return -EAGAIN;
	list_init(&made);
	for (; r == 0 && left > GUEST_CHUNK_MAX; at += GUEST_CHUNK_MAX, left -= GUEST_CHUNK_MAX)
		r = make_input(request, at, GUEST_CHUNK_MAX, false, &made);
	if (r == 0 && (left > 0 || is_end))
		r = make_input(request, at, left, is_end, &made);

	while ((packet = list_first(&made, struct guest_packet, queue))) {
		list_remove(&packet->queue);
		if (r == 0)
			guest_packet_enqueue(request, packet);
		else
			guest_packet_free(packet);
	}
	if (r < 0)
		return r;
	request->credit -= size;
	request->had_end = is_end;
	if (is_end)
		list_remove(&request->writers);
	return guest_packet_flush(request->client);
}

/* SIGNAL, RESIZE or CANCEL, with its fields filled and room for it in the queue. */
static int tell(struct guest_request *request, uint16_t type, const void *message, size_t size)
{
	struct guest_packet *packet;
	int r;

	if (request->client->is_lost || request->client->is_broken)
		return -EPIPE;
	packet = guest_packet_new(size);
	if (!packet)
		return -ENOMEM;
	memcpy(packet->bytes, message, size);
	guest_header((struct message_header *)(void *)packet->bytes, type, packet->size,
		request->entry.id);
	r = guest_packet_check(packet, NULL);
	if (r < 0) {
		guest_packet_free(packet);
		return r;
	}
	guest_packet_enqueue(request, packet);
	return guest_packet_flush(request->client);
}

static bool has_room(const struct guest_request *request, uint32_t size)
{
	return request->client->queued_bytes + guest_packet_cost(size) <= GUEST_CLIENT_QUEUE_MAX;
}

int guest_request_signal(struct guest_request *request, int signal)
{
	struct guest_signal m = {.signal = (uint32_t)signal};

	if (request->type != GUEST_EXEC)
		return -EINVAL;
	if (!has_room(request, sizeof(m)))
		return -EBUSY;
	return tell(request, GUEST_SIGNAL, &m, sizeof(m));
}

int guest_request_resize(struct guest_request *request, uint16_t rows, uint16_t columns)
{
	struct guest_resize m = {.rows = rows, .columns = columns};

	if (request->type != GUEST_EXEC)
		return -EINVAL;
	if (!has_room(request, sizeof(m)))
		return -EBUSY;
	return tell(request, GUEST_RESIZE, &m, sizeof(m));
}

/* Once per request, so that the bound of the queue need not refuse it. */
int guest_request_cancel(struct guest_request *request)
{
	struct guest_cancel m = {0};
	int r;

	if (request->is_cancelled)
		return 0;
	r = tell(request, GUEST_CANCEL, &m, sizeof(m));
	request->is_cancelled = r == 0;
	return r;
}
