/*
 * percent.h - %XX in paths and queries, decoded once and strictly.
 */
#ifndef AGENTD_API_PERCENT_H
#define AGENTD_API_PERCENT_H
#include <stddef.h>

enum percent_kind {
	PERCENT_PATH,
	PERCENT_QUERY, /* "+" is a blank */
};

/*
 * Into to, of max bytes and a terminator. Returns the length; -EINVAL: a % without two hex digits, a control
 * character (in a query: NUL) or no UTF-8; -ENAMETOOLONG.
 */
int percent_decode(const char *text, size_t length, enum percent_kind kind, char *to, size_t max);
#endif
