#include "nsjail-lite/guest/input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "nsjail-lite/guest/request.h"

/* A CREDIT for each few bytes would be traffic for nothing; the client has the rest meanwhile. */
#define CREDIT_STEP    (GUEST_INPUT_CREDIT / 4)
#define INPUT_CAPACITY 4096u

static void on_writable(struct guest *guest, struct source *source, uint32_t events);

void input_init(struct input *input, bool is_wanted)
{
	memset(input, 0, sizeof(*input));
	source_init(&input->sink, on_writable);
	input->is_wanted = is_wanted;
	input->credit = is_wanted ? GUEST_INPUT_CREDIT : 0;
}

void input_finish(struct input *input)
{
	source_close(&input->sink);
	free(take_ptr(&input->bytes));
	input->size = input->capacity = 0;
	input->is_wanted = false;
}

uint32_t input_credit_due(const struct input *input)
{
	return input->is_wanted && input->owed >= CREDIT_STEP ? input->owed : 0;
}

void input_credit_sent(struct input *input, uint32_t bytes)
{
	input->owed -= bytes;
	input->credit += bytes;
}

static void consume(struct guest *guest, struct input *input, uint32_t bytes)
{
	input->start += bytes;
	input->size -= bytes;
	input->owed += bytes;
	if (input->size == 0) {
		free(take_ptr(&input->bytes));
		input->start = input->capacity = 0;
	}
	if (input_credit_due(input))
		request_set_pending(guest, list_entry(input, struct request, input));
}

/* On a terminal the end of input is a character that its line discipline takes for it. */
static void write_terminal_end(int fd)
{
	struct termios settings;
	char end = '\004';

	if (tcgetattr(fd, &settings) == 0)
		end = (char)settings.c_cc[VEOF];
	if (write(fd, &end, 1) < 0)
		return; /* the terminal's input is full or gone: then nobody waits for an end */
}

/* Write what the reader takes; watch for more room only while something waits. */
static void flush(struct guest *guest, struct input *input)
{
	while (input->size > 0) {
		ssize_t n = write(input->sink.fd, input->bytes + input->start, input->size);

		if (n < 0 && errno == EAGAIN &&
			source_watch(&input->sink, guest->epoll, EPOLLOUT) == 0)
			return;
		if (n < 0) {
			input->is_broken = true;
			n = input->size;
		}
		consume(guest, input, (uint32_t)n);
	}
	if (input->has_ended && input->is_terminal && !input->is_broken)
		write_terminal_end(input->sink.fd);
	if (input->has_ended || input->is_broken)
		source_close(&input->sink);
	else
		source_unwatch(&input->sink);
}

static void on_writable(struct guest *guest, struct source *source, uint32_t events)
{
	(void)events;
	flush(guest, list_entry(source, struct input, sink));
}

void input_open(struct guest *guest, struct input *input, int fd, bool is_terminal)
{
	input->sink.fd = fd;
	input->is_terminal = is_terminal;
	flush(guest, input);
}

static int append(struct input *input, const char *bytes, uint32_t size)
{
	uint32_t capacity = input->capacity ? input->capacity : INPUT_CAPACITY;
	char *grown;

	if (input->start > 0 && input->start + input->size + size > input->capacity) {
		memmove(input->bytes, input->bytes + input->start, input->size);
		input->start = 0;
	}
	while (capacity < input->size + size)
		capacity *= 2; /* ends at GUEST_INPUT_CREDIT, a power of two */
	if (capacity > input->capacity) {
		grown = realloc(input->bytes, capacity);
		if (!grown)
			return -ENOMEM;
		input->bytes = grown;
		input->capacity = capacity;
	}
	memcpy(input->bytes + input->start + input->size, bytes, size);
	input->size += size;
	return 0;
}

int input_receive(
	struct guest *guest, struct input *input, const char *bytes, uint32_t size, bool is_end)
{
	int r;

	if (!input->is_wanted || input->has_ended || size > input->credit)
		return -EPROTO;
	input->credit -= size;
	input->has_ended = is_end;
	if (size > 0) {
		r = append(input, bytes, size);
		if (r < 0)
			return r;
	}
	if (input->is_broken)
		consume(guest, input, input->size);
	else if (input->sink.fd >= 0)
		flush(guest, input);
	return 0;
}
