/*
 * params.h - what a client sends along, from three places into one object: path, query, body.
 *
 * A name may come from one place only, but that a body may repeat what its path says. The texts of path and query become what
 * the route's schema wants at their names; names it does not know stay texts.
 */
#ifndef AGENTD_API_PARAMS_H
#define AGENTD_API_PARAMS_H
#include <jansson.h>

struct error;

#define PARAMS_QUERY_MAX  64	  /* members of a query */
#define PARAMS_VALUE_MAX  4096	  /* bytes of one, decoded */
#define PARAMS_DEPTH_MAX  64	  /* of a body's arrays and objects */
#define PARAMS_VALUES_MAX 1000000 /* of a body: each costs memory of its own */

/* The texts of a path become what the schema wants at their names. 0 or -ENOMEM. */
int params_type(json_t *params, const json_t *schema, struct error *err);

/* Add the query's members ("a=1&b=x", may be NULL). 0, -EINVAL with the member's name, or -ENOMEM. */
int params_add_query(json_t *params, const char *query, const json_t *schema, struct error *err);

/* What a header says (NULL: it is absent), when the schema has the member and nothing else has said it, or null. 0 or -EINVAL. */
int params_add_header(json_t *params, const char *name, const char *text, const json_t *schema,
	struct error *err);

/*
 * Add the members of a body: a JSON object, size bytes. 0; -EINVAL with line and column; -E2BIG: more than
 * PARAMS_VALUES_MAX; -ENOMEM.
 */
int params_add_body(json_t *params, const char *text, size_t size, struct error *err);
#endif
