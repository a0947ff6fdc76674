#include "agentd/api/framing.h"

#include <stdlib.h>
#include <string.h>

#include "agentd/api/framing_private.h"

#define CHUNK_DIGITS 15

enum state {
	STATE_START,	 /* before a request line */
	STATE_START_LF,	 /* an empty line before it: its LF */
	STATE_LINE,	 /* in the request line or a header */
	STATE_LINE_LF,	 /* its LF */
	STATE_HEAD_DONE, /* FRAMING_HEAD was told */
	STATE_DATA,	 /* in a body of known length, or in a chunk */
	STATE_SIZE,	 /* in a chunk's size */
	STATE_EXTENSION,
	STATE_SIZE_LF,
	STATE_DATA_CR, /* behind a chunk */
	STATE_DATA_LF,
	STATE_BODY_DONE, /* a body of known length has come */
	STATE_TRAILER,	 /* at the beginning of a line */
	STATE_TRAILER_LINE,
	STATE_TRAILER_LF,
	STATE_LAST_LF, /* of the empty line that ends the body */
	STATE_DONE,    /* FRAMING_END was told */
	STATE_BAD,
};

static void clear(struct framing *f)
{
	free(f->head);
	free(f->headers);
	memset(f, 0, sizeof(*f));
	f->state = STATE_START;
}

void framing_init(struct framing *f)
{
	memset(f, 0, sizeof(*f));
	f->state = STATE_START;
}

void framing_finish(struct framing *f)
{
	clear(f);
}

bool framing_is_idle(const struct framing *f)
{
	return f->state == STATE_START || f->state == STATE_DONE;
}

bool framing_has_body(const struct framing *f)
{
	return f->is_chunked || f->length > 0;
}

static int hex_value(char c)
{
	if (framing_is_digit(c))
		return c - '0';
	if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
		return (c | 0x20) - 'a' + 10;
	return -1;
}

static enum framing_event on_line_char(struct framing *f, char c)
{
	if (c != '\r')
		return framing_head_char(f, c);
	f->state = STATE_LINE_LF;
	return f->head ? FRAMING_MORE : framing_bad(f, API_INVALID_REQUEST, "no request line");
}

static enum framing_event end_line(struct framing *f)
{
	enum framing_event event = framing_head_line(f);

	f->state = event == FRAMING_HEAD ? STATE_HEAD_DONE : STATE_LINE;
	return event;
}

static enum framing_event start_body(struct framing *f)
{
	if (f->length > f->body_max)
		return framing_bad(f, API_TOO_LARGE, "the body is too large");
	if (f->is_chunked) {
		f->state = STATE_SIZE;
		return FRAMING_MORE;
	}
	f->left = f->length;
	f->state = f->left > 0 ? STATE_DATA : STATE_DONE;
	return f->left > 0 ? FRAMING_MORE : FRAMING_END;
}

static enum framing_event on_size_char(struct framing *f, char c)
{
	int value = hex_value(c);

	if (value >= 0) {
		f->left = f->left * 16 + (unsigned)value;
		if (++f->digits > CHUNK_DIGITS)
			return framing_bad(f, API_INVALID_REQUEST, "a chunk's size is too long");
		return FRAMING_MORE;
	}
	if (f->digits == 0 || (c != '\r' && c != ';'))
		return framing_bad(f, API_INVALID_REQUEST, "a chunk's size is no number");
	f->state = c == '\r' ? STATE_SIZE_LF : STATE_EXTENSION;
	return FRAMING_MORE;
}

static enum framing_event on_extension_char(struct framing *f, char c)
{
	if (c == '\r') {
		f->state = STATE_SIZE_LF;
		return FRAMING_MORE;
	}
	if (!framing_is_text_char((unsigned char)c))
		return framing_bad(
			f, API_INVALID_REQUEST, "a control character in a chunk's extension");
	if (++f->digits > FRAMING_CHUNK_LINE_MAX || ++f->extensions > FRAMING_EXTENSIONS_MAX)
		return framing_bad(f, API_INVALID_REQUEST, "the chunks' extensions are too long");
	return FRAMING_MORE;
}

static enum framing_event end_size(struct framing *f)
{
	f->digits = 0;
	if (f->left > f->body_max - f->body_size)
		return framing_bad(f, API_TOO_LARGE, "the body is too large");
	f->body_size += f->left;
	f->state = f->left > 0 ? STATE_DATA : STATE_TRAILER;
	return FRAMING_MORE;
}

static enum framing_event on_trailer_char(struct framing *f, char c)
{
	if (++f->trailer > FRAMING_TRAILER_MAX)
		return framing_bad(f, API_HEAD_TOO_LARGE, "the trailer is longer than 4096 bytes");
	if (c == '\r') {
		f->state = f->state == STATE_TRAILER ? STATE_LAST_LF : STATE_TRAILER_LF;
		return FRAMING_MORE;
	}
	if (!framing_is_text_char((unsigned char)c) ||
		(f->state == STATE_TRAILER && !framing_is_token_char((unsigned char)c)))
		return framing_bad(f, API_INVALID_REQUEST, "the trailer holds what no header may");
	f->state = STATE_TRAILER_LINE;
	return FRAMING_MORE;
}

/* One of the places where nothing but this byte may stand. */
static enum framing_event expect_char(struct framing *f, char c, char wanted, enum state next)
{
	if (c != wanted)
		return framing_bad(f, API_INVALID_REQUEST,
			wanted == '\n' ? "a CR without LF" : "a chunk is longer than its size");
	f->state = (int)next;
	return FRAMING_MORE;
}

static enum framing_event on_char(struct framing *f, char c)
{
	enum framing_event event;

	switch ((enum state)f->state) {
	case STATE_START:
		if (c == '\r' && f->trailer++ == 0) { /* one empty line is forgiven */
			f->state = STATE_START_LF;
			return FRAMING_MORE;
		}
		f->state = STATE_LINE;
		return on_line_char(f, c);
	case STATE_START_LF:
		return expect_char(f, c, '\n', STATE_START);
	case STATE_LINE:
		return on_line_char(f, c);
	case STATE_LINE_LF:
		event = expect_char(f, c, '\n', STATE_LINE);
		return event == FRAMING_BAD ? event : end_line(f);
	case STATE_SIZE:
		return on_size_char(f, c);
	case STATE_EXTENSION:
		return on_extension_char(f, c);
	case STATE_SIZE_LF:
		event = expect_char(f, c, '\n', STATE_DATA);
		return event == FRAMING_BAD ? event : end_size(f);
	case STATE_DATA_CR:
		return expect_char(f, c, '\r', STATE_DATA_LF);
	case STATE_DATA_LF:
		return expect_char(f, c, '\n', STATE_SIZE);
	case STATE_TRAILER:
	case STATE_TRAILER_LINE:
		return on_trailer_char(f, c);
	case STATE_TRAILER_LF:
		return expect_char(f, c, '\n', STATE_TRAILER);
	case STATE_LAST_LF:
		event = expect_char(f, c, '\n', STATE_DONE);
		return event == FRAMING_BAD ? event : FRAMING_END;
	case STATE_HEAD_DONE:
	case STATE_DATA:
	case STATE_BODY_DONE:
	case STATE_DONE:
	case STATE_BAD:
		break; /* framing_push() keeps them away from here */
	}
	return FRAMING_BAD;
}

static size_t take_data(struct framing *f, size_t size)
{
	size_t taken = size < f->left ? size : (size_t)f->left;

	f->left -= taken;
	if (f->left == 0)
		f->state = f->is_chunked ? STATE_DATA_CR : STATE_BODY_DONE;
	return taken;
}

size_t framing_push(struct framing *f, const char *data, size_t size, enum framing_event *ret_event)
{
	size_t taken = 0;

	*ret_event = FRAMING_MORE;
	if (f->state == STATE_BAD) {
		*ret_event = FRAMING_BAD;
		return 0;
	}
	if (f->state == STATE_HEAD_DONE) {
		*ret_event = start_body(f);
		if (*ret_event == FRAMING_BAD)
			f->state = STATE_BAD;
		if (*ret_event != FRAMING_MORE)
			return 0;
	}
	if (f->state == STATE_BODY_DONE) {
		f->state = STATE_DONE;
		*ret_event = FRAMING_END;
		return 0;
	}
	if (size == 0)
		return 0;
	if (f->state == STATE_DATA) {
		*ret_event = FRAMING_BODY;
		return take_data(f, size);
	}
	if (f->state == STATE_DONE)
		clear(f);
	while (taken < size && *ret_event == FRAMING_MORE && f->state != STATE_DATA)
		*ret_event = on_char(f, data[taken++]);
	if (*ret_event == FRAMING_BAD)
		f->state = STATE_BAD;
	return taken;
}
