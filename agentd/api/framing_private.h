/*
 * framing_private.h - what framing.c and framing_head.c share.
 */
#ifndef AGENTD_API_FRAMING_PRIVATE_H
#define AGENTD_API_FRAMING_PRIVATE_H
#include <string.h>

#include "agentd/api/framing.h"

/* One more character of the line that f->line begins: FRAMING_MORE or FRAMING_BAD. */
enum framing_event framing_head_char(struct framing *f, char c);
/* Its end: FRAMING_MORE, FRAMING_BAD, or FRAMING_HEAD when it was the empty one. */
enum framing_event framing_head_line(struct framing *f);

static inline enum framing_event framing_bad(
	struct framing *f, enum api_fault fault, const char *why)
{
	f->fault = fault;
	f->why = why;
	return FRAMING_BAD;
}

static inline bool framing_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool framing_is_token_char(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* May stand in a line: visible, a blank, a tab, or beyond ASCII. */
static inline bool framing_is_text_char(unsigned char c)
{
	return (c >= 0x20 && c != 0x7f) || c == '\t';
}
#endif
