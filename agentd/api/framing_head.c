#include <stdlib.h>
#include <strings.h>

#include "agentd/api/framing_private.h"
#include "base/cleanup.h"

#define HEAD_FIRST_SIZE 512
#define LENGTH_DIGITS	19 /* what fits 64 bits for certain */

/* Twice, they would mean what each reader likes. */
static const char *const singles[] = {"host", "content-length", "transfer-encoding", "content-type",
	"content-encoding", "authorization", "expect", "origin", "last-event-id", "x-session-id"};

const char *framing_find(const struct framing *f, const char *name)
{
	for (size_t i = 0; i < f->header_count; i++) {
		if (strcmp(f->head + f->headers[i].name, name) == 0)
			return f->head + f->headers[i].value;
	}
	return NULL;
}

static bool is_token(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (!framing_is_token_char((unsigned char)text[i]))
			return false;
	}
	return size > 0;
}

static enum framing_event parse_version(struct framing *f, const char *text)
{
	if (strncmp(text, "HTTP/", 5) != 0 || !framing_is_digit(text[5]) || text[6] != '.' ||
		!framing_is_digit(text[7]) || text[8] != '\0')
		return framing_bad(
			f, API_INVALID_REQUEST, "the request line does not end in HTTP/1.1");
	if (text[5] != '1' || text[7] > '1')
		return framing_bad(
			f, API_BAD_VERSION, "only HTTP/1.1 and HTTP/1.0 are spoken here");
	f->minor = (unsigned)(text[7] - '0');
	f->is_kept_alive = f->minor == 1;
	return FRAMING_MORE;
}

static enum framing_event parse_request_line(struct framing *f, char *line)
{
	char *target = strchr(line, ' ');
	char *version = target ? strchr(target + 1, ' ') : NULL;
	enum framing_event event;

	if (!version)
		return framing_bad(
			f, API_INVALID_REQUEST, "the request line is not METHOD PATH HTTP/1.1");
	*target++ = '\0';
	*version++ = '\0';
	if (!is_token(line, strlen(line)) || strlen(line) > FRAMING_METHOD_MAX)
		return framing_bad(f, API_INVALID_REQUEST, "the method is no word");
	event = parse_version(f, version);
	if (event == FRAMING_BAD)
		return event;
	/* A host in the target would compete with the Host header; CONNECT and "*" have no path at all. */
	if (*target != '/')
		return framing_bad(f, API_INVALID_REQUEST, "the target must be a path");
	for (const char *c = target; *c; c++) {
		if (*c <= ' ' || *c == 0x7f || *c == '#')
			return framing_bad(
				f, API_INVALID_REQUEST, "the target holds what no path may");
	}
	if (strlen(target) > FRAMING_TARGET_MAX)
		return framing_bad(f, API_TARGET_TOO_LONG, "the target is longer than 8192 bytes");
	return FRAMING_MORE;
}

static enum framing_event check_single(struct framing *f, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(singles); i++) {
		if (strcmp(singles[i], name) == 0 && framing_find(f, name))
			return framing_bad(f, API_INVALID_REQUEST,
				"a header stands twice that may stand once only");
	}
	return FRAMING_MORE;
}

static enum framing_event parse_header(struct framing *f, char *line)
{
	char *value = strchr(line, ':');
	char *end;

	if (*line == ' ' || *line == '\t')
		return framing_bad(f, API_INVALID_REQUEST, "a header goes on in a second line");
	if (!value || !is_token(line, (size_t)(value - line)))
		return framing_bad(f, API_INVALID_REQUEST, "a header is not NAME: VALUE");
	if (f->header_count == FRAMING_HEADERS_MAX)
		return framing_bad(f, API_HEAD_TOO_LARGE, "more than 100 headers");
	*value++ = '\0';
	for (char *c = line; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c | 0x20);
	}
	value += strspn(value, " \t");
	for (end = value + strlen(value); end > value && (end[-1] == ' ' || end[-1] == '\t'); end--)
		;
	*end = '\0';
	if (check_single(f, line) == FRAMING_BAD)
		return FRAMING_BAD;
	if (!f->headers) {
		f->headers = calloc(FRAMING_HEADERS_MAX, sizeof(*f->headers));
		if (!f->headers)
			return framing_bad(f, API_INTERNAL, "out of memory");
	}
	f->headers[f->header_count++] = (struct framing_header){
		.name = (uint16_t)(line - f->head), .value = (uint16_t)(value - f->head)};
	return FRAMING_MORE;
}

static enum framing_event parse_length(struct framing *f, const char *text)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || text[digits] != '\0')
		return framing_bad(f, API_INVALID_REQUEST, "Content-Length is no number");
	f->has_length = true;
	f->length = digits > LENGTH_DIGITS ? UINT64_MAX : strtoull(text, NULL, 10);
	return FRAMING_MORE;
}

static void parse_connection(struct framing *f)
{
	bool is_close = false, is_kept = false;

	for (size_t i = 0; i < f->header_count; i++) {
		const char *word = f->head + f->headers[i].value;

		if (strcmp(f->head + f->headers[i].name, "connection") != 0)
			continue;
		while (*word) {
			size_t size;

			word += strspn(word, ", \t");
			size = strcspn(word, ", \t");
			is_close |= size == 5 && strncasecmp(word, "close", 5) == 0;
			is_kept |= size == 10 && strncasecmp(word, "keep-alive", 10) == 0;
			word += size;
		}
	}
	f->is_kept_alive = !is_close && (f->minor == 1 || is_kept);
}

/* All headers are there: what they say of the body. */
static enum framing_event end_head(struct framing *f)
{
	const char *length = framing_find(f, "content-length");
	const char *coding = framing_find(f, "transfer-encoding");
	const char *expect = framing_find(f, "expect");

	f->method = f->head;
	f->target = f->method + strlen(f->method) + 1;
	if (coding && (length || f->minor == 0))
		return framing_bad(f, API_INVALID_REQUEST,
			"Transfer-Encoding beside Content-Length or in HTTP/1.0");
	if (coding && strcasecmp(coding, "chunked") != 0)
		return framing_bad(
			f, API_NOT_IMPLEMENTED, "the only Transfer-Encoding known is chunked");
	f->is_chunked = coding != NULL;
	if (length && parse_length(f, length) == FRAMING_BAD)
		return FRAMING_BAD;
	if (expect && strcasecmp(expect, "100-continue") != 0)
		return framing_bad(f, API_EXPECTATION_FAILED, "Expect knows 100-continue only");
	f->has_expect = expect && f->minor == 1;
	parse_connection(f);
	return FRAMING_HEAD;
}

enum framing_event framing_head_line(struct framing *f)
{
	char *line = f->head + f->line;
	enum framing_event event;

	if (f->size == f->line)
		return end_head(f);
	f->head[f->size++] = '\0'; /* framing_head_char() has left room for it */
	event = f->line == 0 ? parse_request_line(f, line) : parse_header(f, line);
	f->line = f->size;
	return event;
}

enum framing_event framing_head_char(struct framing *f, char c)
{
	if (!framing_is_text_char((unsigned char)c))
		return framing_bad(f, API_INVALID_REQUEST,
			c == '\n' ? "a line ends in LF without CR" : "a control character");
	/* The request line: method, target, version and the blanks between them. */
	if (f->line == 0 && f->size >= FRAMING_TARGET_MAX + FRAMING_METHOD_MAX + 16)
		return framing_bad(f, API_TARGET_TOO_LONG, "the target is longer than 8192 bytes");
	if (f->size + 2 >= FRAMING_HEAD_MAX)
		return framing_bad(
			f, API_HEAD_TOO_LARGE, "the headers are longer than 32768 bytes");
	if (f->size + 2 > f->capacity) {
		size_t capacity = f->capacity ? f->capacity * 2 : HEAD_FIRST_SIZE;
		char *head = realloc(f->head, capacity);

		if (!head)
			return framing_bad(f, API_INTERNAL, "out of memory");
		f->head = head;
		f->capacity = capacity;
	}
	f->head[f->size++] = c;
	return FRAMING_MORE;
}
