#include "agentd/project/place.h"

#include <stdbool.h>
#include <string.h>

struct scan {
	const char *at;
	unsigned line;
};

static void step_over(struct scan *scan)
{
	if (*scan->at == '\n')
		scan->line++;
	if (*scan->at)
		scan->at++;
}

static void skip_blanks(struct scan *scan)
{
	while (*scan->at && strchr(" \t\r\n", *scan->at))
		step_over(scan);
}

/* At a quote. Leaves the scan behind the closing one. */
static void skip_string(struct scan *scan)
{
	step_over(scan);
	while (*scan->at && *scan->at != '"') {
		if (*scan->at == '\\')
			step_over(scan);
		step_over(scan);
	}
	step_over(scan);
}

/* Brackets are counted, not matched: what is nested deeply costs no stack. Ends before , ] } or the end. */
static void skip_value(struct scan *scan)
{
	size_t depth = 0;

	while (*scan->at) {
		char c = *scan->at;

		if (depth == 0 && strchr(",]}", c))
			return;
		if (c == '"') {
			skip_string(scan);
			continue;
		}
		if (c == '[' || c == '{')
			depth++;
		else if (c == ']' || c == '}')
			depth--;
		step_over(scan);
	}
}

/* Behind a , to the next element. False: there is none. */
static bool next_element(struct scan *scan)
{
	skip_value(scan);
	if (*scan->at != ',')
		return false;
	step_over(scan);
	skip_blanks(scan);
	return true;
}

static bool enter_array(struct scan *scan, size_t index)
{
	if (*scan->at != '[')
		return false;
	step_over(scan);
	skip_blanks(scan);
	while (index-- > 0)
		if (!next_element(scan))
			return false;
	return *scan->at && *scan->at != ']';
}

/* *ret_line is the key's, the scan then stands at the value. */
static bool enter_object(struct scan *scan, const char *key, unsigned *ret_line)
{
	size_t length = strlen(key);

	if (*scan->at != '{')
		return false;
	step_over(scan);
	skip_blanks(scan);
	while (*scan->at == '"') {
		const char *found = scan->at + 1;
		unsigned line = scan->line;

		skip_string(scan);
		if ((size_t)(scan->at - found) == length + 1 && memcmp(found, key, length) == 0) {
			*ret_line = line;
			skip_blanks(scan);
			step_over(scan); /* the colon */
			skip_blanks(scan);
			return true;
		}
		if (!next_element(scan))
			return false;
	}
	return false;
}

unsigned place_line(const char *text, const struct place_step *steps, size_t count)
{
	struct scan scan = {.at = text, .line = 1};
	unsigned line;

	skip_blanks(&scan);
	line = scan.line;
	for (size_t i = 0; i < count; i++) {
		if (steps[i].key) {
			if (!enter_object(&scan, steps[i].key, &line))
				return line;
		} else {
			if (!enter_array(&scan, steps[i].index))
				return line;
			line = scan.line;
		}
	}
	return line;
}
