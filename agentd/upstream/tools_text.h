/*
 * tools_text.h - lists of tools as the text that a request's body holds: made once, for they are most of it and do not change.
 */
#ifndef AGENTD_UPSTREAM_TOOLS_TEXT_H
#define AGENTD_UPSTREAM_TOOLS_TEXT_H
#include <jansson.h>

#define TOOLS_TEXT_KEPT 16 /* lists, in a dialect each */

struct dialect;

struct tools_text {
	struct {
		json_t *tools;
		const struct dialect *dialect;
		char *text;
	} kept[TOOLS_TEXT_KEPT];
	unsigned next; /* to be replaced */
};

/* Until the next call; the list is known again by its address, and kept so long. NULL: out of memory. */
const char *tools_text_get(
	struct tools_text *texts, const struct dialect *dialect, const json_t *tools);
void tools_text_finish(struct tools_text *texts);
#endif
