#include "nsjail-lite/guest/regex.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define NUL_REFUSED	"\\x00 stands in no line of text"
#define NEWLINE_REFUSED "a line break stands in no line: search for one of the lines"

struct translation {
	const char *p;
	char *to, *end;
	const char *why;
	bool can_repeat; /* what stands last may be repeated */
	/* Characters, with repetitions written out as regcomp() does it. */
	unsigned size, last_size;	    /* of all; of what stands last */
	unsigned before[REGEX_PATTERN_MAX]; /* of what stands before each open group */
	unsigned depth;
};

static void put(struct translation *t, const char *text)
{
	size_t length = strlen(text);

	if ((size_t)(t->end - t->to) <= length) {
		t->why = "the pattern is too long";
		return;
	}
	memcpy(t->to, text, length + 1);
	t->to += length;
}

static void put_byte(struct translation *t, char c)
{
	put(t, (char[]){c, '\0'});
}

static const struct escape {
	char letter;
	const char *outside; /* of brackets */
	const char *inside;  /* NULL: cannot be said there */
} escapes[] = {
	{'w', "[[:alnum:]_]", "[:alnum:]_"},
	{'W', "[^[:alnum:]_]", NULL},
	{'d', "[[:digit:]]", "[:digit:]"},
	{'D', "[^[:digit:]]", NULL},
	{'s', "[[:space:]]", "[:space:]"},
	{'S', "[^[:space:]]", NULL},
	{'b', "\\b", NULL},
	{'B', "\\B", NULL},
};

static const struct escape *find_escape(const char *p)
{
	for (size_t i = 0; p[0] == '\\' && i < sizeof(escapes) / sizeof(escapes[0]); i++)
		if (escapes[i].letter == p[1])
			return &escapes[i];
	return NULL;
}

/* One, in UTF-8, whose order is that of the codes. Empty: \x00, which begins ranges only. */
struct character {
	char bytes[5];
};

/* At the x of \xHH. */
static void take_code(struct translation *t, struct character *c)
{
	char digits[3] = {0};
	unsigned code;

	t->p++;
	for (size_t i = 0; i < 2; i++, t->p++) {
		if (!isxdigit((unsigned char)*t->p)) {
			t->why = "\\x wants two hexadecimal digits";
			return;
		}
		digits[i] = *t->p;
	}
	code = (unsigned)strtoul(digits, NULL, 16);
	if (code < 0x80) {
		c->bytes[0] = (char)code;
	} else {
		c->bytes[0] = (char)(0xc0 | code >> 6);
		c->bytes[1] = (char)(0x80 | (code & 0x3f));
	}
}

/* At a letter or digit behind a backslash. */
static void take_letter(struct translation *t, struct character *c)
{
	static const char letters[] = "tnrfv", meant[] = "\t\n\r\f\v";
	const char *letter = strchr(letters, *t->p);

	if (*t->p == 'x') {
		take_code(t, c);
	} else if (letter) {
		c->bytes[0] = meant[letter - letters];
		t->p++;
	} else {
		t->why = "unknown escape: a letter or digit behind a backslash";
	}
}

static void take_character(struct translation *t, struct character *c)
{
	bool is_escaped = *t->p == '\\';
	size_t length;

	*c = (struct character){0};
	t->p += is_escaped;
	if (*t->p == '\0') {
		t->why = "backslash at the end";
	} else if (is_escaped && isalnum((unsigned char)*t->p)) {
		take_letter(t, c);
	} else {
		length = text_utf8_sequence(t->p, strlen(t->p)); /* the pattern is UTF-8: not 0 */
		memcpy(c->bytes, t->p, length);
		t->p += length;
	}
}

/* At a backslash outside of brackets. */
static void translate_escape(struct translation *t)
{
	const struct escape *escape = find_escape(t->p);
	struct character c;

	if (escape) {
		put(t, escape->outside);
		t->p += 2;
		return;
	}
	if (isdigit((unsigned char)t->p[1])) {
		t->why = "back-references are not supported";
		return;
	}
	if (t->p[1] == '<' || t->p[1] == '>')
		put(t, "\\"); /* where a word begins or ends */
	take_character(t, &c);
	if (t->why)
		return;
	if (c.bytes[0] == '\0')
		t->why = NUL_REFUSED;
	if (c.bytes[0] == '\n')
		t->why = NEWLINE_REFUSED;
	if (strchr("\\.[]()*+?{}|^$", c.bytes[0]))
		put(t, "\\");
	put(t, c.bytes);
}

/* [:name:] */
static size_t named_class_length(const char *p)
{
	const char *close = p[0] == '[' && p[1] == ':' ? strstr(p, ":]") : NULL;

	return close ? (size_t)(close + 2 - p) : 0;
}

/* Those that have their place in brackets, where they stand for themselves; ']' comes first. */
static const char placed[] = "][^-";

struct bracket {
	bool is_negated;
	bool has[sizeof(placed) - 1];
};

/* Is it one of them? Then it waits for its place. */
static bool set_aside(struct bracket *b, const struct character *c)
{
	const char *p = c->bytes[0] ? strchr(placed, c->bytes[0]) : NULL;

	if (p)
		b->has[p - placed] = true;
	return p;
}

/* The ends of a range that have their place elsewhere are taken off it. */
static void put_range(
	struct translation *t, struct bracket *b, struct character from, struct character to)
{
	if (to.bytes[0] == '\0') {
		t->why = NUL_REFUSED;
		return;
	}
	if (from.bytes[0] == '\0')
		from.bytes[0] = '\1';
	if (strcmp(from.bytes, to.bytes) > 0)
		t->why = "a range in brackets ends before it begins";
	while (strcmp(from.bytes, to.bytes) <= 0 && set_aside(b, &from))
		from.bytes[0]++;
	while (strcmp(from.bytes, to.bytes) <= 0 && set_aside(b, &to))
		to.bytes[0]--;
	if (strcmp(from.bytes, to.bytes) > 0)
		return;
	put(t, from.bytes);
	if (strcmp(from.bytes, to.bytes) < 0) {
		put(t, "-");
		put(t, to.bytes);
	}
}

/* A hyphen makes a range between two characters; behind a class or a range it is one itself. */
static bool is_range(const char *p)
{
	return p[0] == '-' && p[1] != '\0' && p[1] != ']' && !find_escape(p + 1) &&
	       named_class_length(p + 1) == 0;
}

static void translate_bracket_item(struct translation *t, struct bracket *b)
{
	const struct escape *escape = find_escape(t->p);
	size_t length = named_class_length(t->p);
	struct character from, to;

	if (escape && !escape->inside)
		t->why = "this escape has no meaning in brackets";
	if (escape && escape->inside)
		put(t, escape->inside);
	for (size_t i = 0; i < length; i++)
		put_byte(t, t->p[i]);
	t->p += escape ? 2 : length;
	if (escape || length > 0)
		return;
	take_character(t, &from);
	to = from;
	if (!t->why && is_range(t->p)) {
		t->p++;
		take_character(t, &to);
	}
	if (!t->why && !b->is_negated && (from.bytes[0] == '\n' || to.bytes[0] == '\n'))
		t->why = NEWLINE_REFUSED;
	if (!t->why)
		put_range(t, b, from, to);
}

/* What was set aside goes where it stands for itself: ']' first, '^' not first, '-' last. */
static void finish_bracket(struct translation *t, const struct bracket *b, char *start)
{
	char *head = start + (b->is_negated ? 2 : 1);

	if (b->has[0]) {
		put(t, "]");
		if (t->why)
			return;
		memmove(head + 1, head, (size_t)(t->to - head) - 1);
		*head = ']';
	}
	put(t, b->has[1] ? "[" : "");
	if (b->has[2] && t->to == start + 1 && !b->has[3]) {
		t->to = start;
		put(t, "\\^"); /* alone */
	} else if (b->has[2] && t->to == start + 1) {
		put(t, "-^]");
	} else {
		put(t, b->has[2] ? "^" : "");
		put(t, b->has[3] ? "-" : "");
		put(t, "]");
	}
}

/* Behind the '['. Backslashes protect in here as everywhere; POSIX would take them for themselves. */
static void translate_bracket(struct translation *t)
{
	struct bracket b = {.is_negated = *t->p == '^'};
	char *start = t->to;

	t->p += b.is_negated;
	put(t, b.is_negated ? "[^" : "[");
	if (*t->p)
		translate_bracket_item(t, &b); /* ']' too */
	while (*t->p && *t->p != ']' && !t->why)
		translate_bracket_item(t, &b);
	if (*t->p == '\0')
		t->why = "unmatched [";
	if (t->why)
		return;
	t->p++;
	finish_bracket(t, &b, start);
}

/* {n}, {n,} or {n,m}. */
static size_t interval_length(const char *p)
{
	size_t n = 1, digits = strspn(p + n, "0123456789");

	if (*p != '{' || digits == 0)
		return 0;
	n += digits;
	if (p[n] == ',')
		n += 1 + strspn(p + n + 1, "0123456789");
	return p[n] == '}' ? n + 1 : 0;
}

/* How often regcomp() writes out what an interval repeats. */
static unsigned interval_copies(const char *p)
{
	char *end;
	unsigned long n = strtoul(p + 1, &end, 10);

	if (end[0] == ',' && end[1] == '}')
		n++;
	else if (end[0] == ',')
		n = strtoul(end + 1, NULL, 10);
	if (n > REGEX_PATTERN_MAX)
		return REGEX_PATTERN_MAX + 1;
	return n > 0 ? (unsigned)n : 1;
}

static void translate_repetition(struct translation *t, size_t length)
{
	if (!t->can_repeat) {
		t->why = "nothing to repeat";
		return;
	}
	if (*t->p == '{')
		t->size += t->last_size * (interval_copies(t->p) - 1);
	if (t->size > REGEX_PATTERN_MAX) {
		t->why = "repetitions in repetitions are too many: use smaller numbers in {}";
		return;
	}
	while (length-- > 0)
		put_byte(t, *t->p++);
	if (*t->p == '?') /* lazy: which lines match is the same */
		t->p++;
	t->can_repeat = false;
}

static void count(struct translation *t, char c)
{
	if (c == '(')
		t->before[t->depth++] = t->size;
	t->size++;
	t->last_size = 1;
	if (c == ')' && t->depth > 0)
		t->last_size = t->size - t->before[--t->depth];
}

static void translate_one(struct translation *t)
{
	size_t interval = interval_length(t->p);
	char c = *t->p;

	if (interval > 0 || c == '*' || c == '+' || c == '?') {
		translate_repetition(t, interval ? interval : 1);
		return;
	}
	t->can_repeat = c != '(' && c != '|' && c != '^';
	count(t, c);
	if (c == '\\') {
		translate_escape(t);
		return;
	}
	t->p++;
	if (c == '[') {
		translate_bracket(t);
	} else if (c == '{' || c == '}') {
		put_byte(t, '\\');
		put_byte(t, c);
	} else if (c == '(' && t->p[0] == '?') {
		if (t->p[1] != ':')
			t->why = "(? is supported as (?: only";
		t->p += 2;
		put_byte(t, c);
	} else if (c == '\n') {
		t->why = NEWLINE_REFUSED;
	} else {
		put_byte(t, c);
	}
}

int regex_translate(const char *pattern, char *to, size_t size, const char **ret_why)
{
	struct translation t = {.p = pattern, .to = to, .end = to + size};

	*to = '\0';
	if (strlen(pattern) > REGEX_PATTERN_MAX)
		t.why = "the pattern is too long";
	else if (!text_is_utf8(pattern, strlen(pattern)))
		t.why = "not UTF-8";
	while (!t.why && *t.p)
		translate_one(&t);
	if (!t.why)
		return 0;
	*ret_why = t.why;
	return -EINVAL;
}
