#include "nsjail-lite/guest/stream.h"

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "nsjail-lite/guest/job.h"
#include "nsjail-lite/guest/outbox.h"
#include "nsjail-lite/guest/request.h"
#include "proto/control.h"

/* A terminal does not tell how much it holds (the kernel moves it on later): no more than this. */
#define TERMINAL_DRAIN_MAX 131072u
#define LITTLE_BYTES	   1024 /* of a piece for whose like it pays to wait */
#define REST_NS		   NS_PER_MS

static void on_output(struct guest *guest, struct source *source, uint32_t events);
static void on_discard(struct guest *guest, struct source *source, uint32_t events);

void stream_init(struct stream *stream, struct job *job, enum guest_stream kind)
{
	source_init(&stream->source, on_output);
	stream->job = job;
	stream->kind = kind;
}

int stream_open(struct guest *guest, struct stream *stream, int fd, bool is_terminal)
{
	stream->source.fd = fd;
	stream->is_terminal = is_terminal;
	return source_watch(&stream->source, guest->stream_epoll, EPOLLIN);
}

/* How much of size bytes the request's limit lets through. */
static uint32_t admit(struct job *job, uint32_t size)
{
	struct guest_reply *reply = &job->request->reply;
	uint64_t used = job->out.bytes + job->err.bytes;
	uint64_t left = job->output_max > used ? job->output_max - used : 0;

	if (job->output_max == 0 || size <= left)
		return size;
	reply->limits_hit |= LIMIT_HIT_OUTPUT;
	return (uint32_t)left;
}

/* A terminal has no end of file: EIO when the last one inside has closed it. */
static void end(struct guest *guest, struct stream *stream)
{
	source_close(&stream->source);
	if (stream->is_draining)
		request_on_drained(guest, stream->job->request);
	else
		job_release(guest, stream->job);
}

static bool is_terminal_readable(const struct stream *stream)
{
	struct pollfd p = {.fd = stream->source.fd, .events = POLLIN};

	return poll(&p, 1, 0) > 0 && p.revents & POLLIN;
}

void stream_watch_all(struct guest *guest)
{
	bool is_read = !guest->is_blocked && guest->rest_ns == 0;

	source_watch(&guest->streams, guest->epoll, is_read ? EPOLLIN : 0);
}

static void set_rest(struct guest *guest, uint64_t until_ns)
{
	if (guest->rest_ns == until_ns)
		return;
	guest->rest_ns = until_ns;
	stream_watch_all(guest);
}

void stream_end_rest(struct guest *guest)
{
	if (guest->rest_ns && guest->rest_ns <= clock_now_ns())
		set_rest(guest, 0);
}

static void rest_after(struct guest *guest, ssize_t size)
{
	uint64_t now = clock_now_ns();

	if (size < LITTLE_BYTES && now - guest->output_ns < REST_NS)
		set_rest(guest, now + REST_NS);
	guest->output_ns = now;
}

static void on_output(struct guest *guest, struct source *source, uint32_t events)
{
	struct stream *stream = list_entry(source, struct stream, source);
	uint32_t size = sizeof(guest->chunk), admitted;
	ssize_t n;

	(void)events;
	if (guest->is_blocked)
		return;
	if (stream->is_draining && stream->drain_left == 0) {
		source_unwatch(source); /* until stream_discard(): what comes now is nobody's */
		return;
	}
	if (stream->is_draining && stream->drain_left < size)
		size = stream->drain_left;
	n = read(source->fd, guest->chunk, size);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end(guest, stream);
		return;
	}
	admitted = admit(stream->job, (uint32_t)n);
	stream->bytes += (uint64_t)n;
	if (admitted > 0)
		outbox_send_chunk(
			guest, stream->job->request->reply.header.id, stream->kind, admitted);
	if (!stream->is_draining) {
		rest_after(guest, n);
		return;
	}
	stream->drain_left -= (uint32_t)n;
	if (stream->is_terminal && !is_terminal_readable(stream))
		stream->drain_left = 0;
	if (stream->drain_left == 0)
		request_on_drained(guest, stream->job->request);
}

static uint32_t count_waiting(const struct stream *stream)
{
	int bytes = 0;

	if (stream->is_terminal)
		return is_terminal_readable(stream) ? TERMINAL_DRAIN_MAX : 0;
	return ioctl(stream->source.fd, FIONREAD, &bytes) < 0 ? 0 : (uint32_t)bytes;
}

void stream_drain(struct guest *guest, struct stream *stream)
{
	set_rest(guest, 0);
	stream->is_draining = true;
	if (stream->source.fd >= 0)
		stream->drain_left = count_waiting(stream);
}

void stream_drain_again(struct stream *stream)
{
	uint32_t waiting;

	if (stream_is_drained(stream))
		return;
	waiting = count_waiting(stream);
	if (waiting < stream->drain_left)
		stream->drain_left = waiting;
}

bool stream_is_drained(const struct stream *stream)
{
	return stream->source.fd < 0 || (stream->is_draining && stream->drain_left == 0);
}

static void on_discard(struct guest *guest, struct source *source, uint32_t events)
{
	struct stream *stream = list_entry(source, struct stream, source);
	char waste[4096];
	ssize_t n;

	(void)events;
	for (int i = 0; i < 16; i++) { /* a full pipe; then the others' turn */
		n = read(source->fd, waste, sizeof(waste));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			source_close(source);
			job_release(guest, stream->job);
			return;
		}
	}
}

void stream_discard(struct guest *guest, struct stream *stream)
{
	stream->is_draining = false;
	if (stream->source.fd < 0)
		return;
	stream->source.on_ready = on_discard;
	/* Not with the streams: nothing is sent, so a full channel must not hold it up. */
	if (source_watch(&stream->source, guest->epoll, EPOLLIN) < 0)
		source_close(&stream->source);
}
