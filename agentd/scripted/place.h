/*
 * place.h - where in a JSON text a value stands: its line and its path, for whoever has to mend it.
 *
 * A parser of JSON forgets lines. A place is a chain, on the caller's stack, of the members and items that
 * lead to a value; the text is walked again only when something is wrong there.
 */
#ifndef AGENTD_SCRIPTED_PLACE_H
#define AGENTD_SCRIPTED_PLACE_H
#include <stddef.h>

struct error;

struct place {
	const struct place *parent; /* NULL: the whole text */
	const char *key;	    /* of a member; NULL: an item of an array */
	size_t index;		    /* of an item */
	const char *text;	    /* of the whole: what a JSON parser has accepted, terminated */
};

/* The value's line, 1 for the first; the parent's where it cannot be found (its key is written with escapes). */
unsigned place_line(const struct place *place);

/* -EINVAL with "line 12: steps[3].chunk: WHAT" in err. */
int place_refuse(const struct place *place, struct error *err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
#endif
