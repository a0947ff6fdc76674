/*
 * route.h - what can be asked: one row of one const table each, from which openapi.json is made too.
 */
#ifndef AGENTD_API_ROUTE_H
#define AGENTD_API_ROUTE_H
#include <stddef.h>

#include "agentd/api/api.h"

/* Who may ask. */
enum route_access {
	ROUTE_OPEN,  /* anybody: health */
	ROUTE_KEY,   /* a key, or anybody on loopback while there is none */
	ROUTE_ADMIN, /* JSON-RPC only: root and user hearth on agentd.sock */
};

struct error;

struct route {
	const char *method; /* "GET"; NULL: JSON-RPC only */
	const char *
		path; /* below /v1 and /api/v1: "/chat/sessions/:id"; is_bare: as it stands too ("/health") */
	const char *rpc; /* "session.get"; NULL: HTTP only */
	enum route_access access;
	enum api_shape shape;
	bool is_bare;
	const char *summary;	/* a sentence for openapi.json */
	const char *parameters; /* JSON schema of all members: path, query, body */
	const char *response;	/* JSON schema of the result, or NULL */
	bool is_stream;		/* may answer as text/event-stream */
	bool is_large;		/* takes a body of up to api_limits.large_body_max */
	void (*run)(struct api_call *call);
};

extern const struct route route_table[];
extern const size_t route_count;

#define ROUTE_SEGMENTS_MAX 8   /* of a path */
#define ROUTE_SEGMENT_MAX  256 /* bytes of one, decoded */
#define ROUTE_ALLOW_MAX	   64  /* bytes of an Allow header */

/* Routes with their schemas read once. */
struct route_set {
	const struct route *routes; /* borrowed */
	size_t count;
	json_t **schemas; /* one each: of parameters */
};

/* 0, or -errno with the route whose schema is no JSON object. */
int route_set_init(
	struct route_set *set, const struct route *routes, size_t count, struct error *err);
/* Accepts one that is zeroed. */
void route_set_finish(struct route_set *set);

struct route_match {
	const struct route *route;
	const json_t *schema;	     /* borrowed from the set */
	json_t *params;		     /* what the path names, decoded: the caller's */
	char allow[ROUTE_ALLOW_MAX]; /* the methods of this path: "GET, HEAD, POST" */
};

/*
 * The route of a method and a path (what follows a ? is not looked at), under /v1, /api/v1 or bare. HEAD finds GET. 0; -ENOENT: no
 * such path; -ENOTSUP: it has other methods, which *ret_match tells (and nothing else); -EINVAL: a segment is no
 * text (bad %, NUL, no UTF-8, "." or ".."); -ENOMEM. Routes without method are never found.
 */
int route_find(const struct route_set *set, const char *method, const char *path,
	struct route_match *ret_match, struct error *err);

/* How errors at a path are told, whatever the method: as its routes' are, and where there is none as REST. */
enum api_shape route_shape(const struct route_set *set, const char *path);

/* The schema of the route that has this JSON-RPC name, and the route; NULL: none has. */
const struct route *route_find_rpc(
	const struct route_set *set, const char *name, const json_t **ret_schema);
#endif
