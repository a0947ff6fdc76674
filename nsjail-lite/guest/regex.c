#include "nsjail-lite/guest/regex.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct translation {
	const char *p;
	char *to, *end;
	const char *why;
	bool can_repeat; /* what stands last may be repeated */
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
	{'t', "\t", "\t"},
	{'n', "\n", "\n"},
	{'r', "\r", "\r"},
	{'f', "\f", "\f"},
	{'v', "\v", "\v"},
};

static const struct escape *find_escape(char letter)
{
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++)
		if (escapes[i].letter == letter)
			return &escapes[i];
	return NULL;
}

/* At the byte behind a backslash. */
static void translate_escape(struct translation *t)
{
	const struct escape *escape = find_escape(*t->p);

	t->can_repeat = true;
	if (escape) {
		put(t, escape->outside);
	} else if (isdigit((unsigned char)*t->p)) {
		t->why = "back-references are not supported";
	} else if (*t->p == '\0') {
		t->why = "backslash at the end";
	} else if (isalpha((unsigned char)*t->p)) {
		t->why = "unknown escape: a letter behind a backslash";
	} else {
		if (strchr("\\.[]()*+?{}|^$<>", *t->p))
			put_byte(t, '\\');
		put_byte(t, *t->p);
	}
	t->p++;
}

/* [:name:] as it stands. */
static bool copy_named_class(struct translation *t)
{
	const char *close = t->p[0] == '[' && t->p[1] == ':' ? strstr(t->p, ":]") : NULL;

	if (!close)
		return false;
	while (t->p < close + 2)
		put_byte(t, *t->p++);
	return true;
}

struct bracket {
	bool has_bracket, has_hyphen,
		has_caret; /* that stand for themselves: their place is fixed */
	bool begins_range; /* what stands last may: else a hyphen behind it is one */
};

static void translate_bracket_item(struct translation *t, struct bracket *b)
{
	const struct escape *escape = *t->p == '\\' ? find_escape(t->p[1]) : NULL;
	bool is_escaped = *t->p == '\\' && t->p[1];
	char c;

	if (escape) {
		if (!escape->inside)
			t->why = "this escape has no meaning in brackets";
		else
			put(t, escape->inside);
		t->p += 2;
		b->begins_range = false;
		return;
	}
	t->p += is_escaped;
	c = *t->p++;
	if (c == ']')
		b->has_bracket = true;
	else if (c == '^')
		b->has_caret = true;
	else if (c == '-' && (is_escaped || !b->begins_range || *t->p == ']'))
		b->has_hyphen = true;
	else
		put_byte(t, c);
	b->begins_range = true;
}

/* What stands for itself goes where it does: ']' comes first, '^' not first, '-' last. */
static void finish_bracket(struct translation *t, const struct bracket *b, char *start)
{
	if (b->has_bracket) {
		size_t head = start[1] == '^' ? 2 : 1;

		put(t, "]");
		if (t->why)
			return;
		memmove(start + head + 1, start + head, (size_t)(t->to - start) - head - 1);
		start[head] = ']';
	}
	if (b->has_caret && t->to == start + 1 && !b->has_hyphen) {
		t->to = start;
		put(t, "\\^"); /* alone */
	} else if (b->has_caret && t->to == start + 1) {
		put(t, "-^]");
	} else {
		put(t, b->has_caret ? "^" : "");
		put(t, b->has_hyphen ? "-" : "");
		put(t, "]");
	}
}

/* Behind the '['. Backslashes protect in here as everywhere; POSIX would take them for themselves. */
static void translate_bracket(struct translation *t)
{
	struct bracket b = {0};
	bool is_negated = *t->p == '^';
	char *start = t->to;

	t->p += is_negated;
	put(t, is_negated ? "[^" : "[");
	if (*t->p == ']') {
		b.has_bracket = b.begins_range = true;
		t->p++;
	}
	while (*t->p && *t->p != ']' && !t->why)
		if (copy_named_class(t))
			b.begins_range = false;
		else
			translate_bracket_item(t, &b);
	if (*t->p == '\0' && !t->why)
		t->why = "unmatched [";
	if (t->why)
		return;
	t->p++;
	finish_bracket(t, &b, start);
	t->can_repeat = true;
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

static void translate_repetition(struct translation *t, size_t length)
{
	if (!t->can_repeat) {
		t->why = "nothing to repeat";
		return;
	}
	while (length-- > 0)
		put_byte(t, *t->p++);
	if (*t->p == '?') /* lazy: which lines match is the same */
		t->p++;
	t->can_repeat = false;
}

static void translate_one(struct translation *t)
{
	size_t interval = interval_length(t->p);
	char c = *t->p;

	if (interval > 0 || c == '*' || c == '+' || c == '?') {
		translate_repetition(t, interval ? interval : 1);
		return;
	}
	t->p++;
	t->can_repeat = c != '(' && c != '|' && c != '^';
	if (c == '\\') {
		translate_escape(t);
	} else if (c == '[') {
		translate_bracket(t);
	} else if (c == '{' || c == '}') {
		put_byte(t, '\\');
		put_byte(t, c);
	} else if (c == '(' && t->p[0] == '?') {
		if (t->p[1] != ':')
			t->why = "(? is supported as (?: only";
		t->p += 2;
		put_byte(t, c);
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
	while (!t.why && *t.p)
		translate_one(&t);
	if (!t.why)
		return 0;
	*ret_why = t.why;
	return -EINVAL;
}
