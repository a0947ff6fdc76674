/*
 * search_provider.h - what differs from one search provider to the next: a row and a file each.
 */
#ifndef AGENTD_TOOL_SEARCH_PROVIDER_H
#define AGENTD_TOOL_SEARCH_PROVIDER_H
#include <jansson.h>
#include <stdbool.h>

#include "agentd/tool/search.h"

#define SEARCH_RESULTS		  5    /* unless said otherwise */
#define SEARCH_DOMAIN_MAX	  253  /* bytes of a domain */
#define SEARCH_SNIPPET_MAX	  500  /* bytes shown of a result */
#define SEARCH_CONTENT_MAX	  4000 /* bytes shown with includeContent */
#define SEARCH_RESPONSE_MAX	  (2u << 20)
#define SEARCH_TIMEOUT_MS	  15000u
#define SEARCH_CONNECT_TIMEOUT_MS 5000u

struct evbuffer;

struct search_query {
	const char *text;
	unsigned count; /* of results */
	bool with_content;
	const json_t *include, *exclude; /* arrays of domains, checked; NULL: all, none */
};

/* Borrowed from the answer; NULL or "": it has none. */
struct search_result {
	const char *title, *url, *text;
};

struct search_provider {
	const char *name;
	const char *url;	/* NULL: must be configured */
	const char *key_header; /* NULL: takes no key */
	bool has_contents;	/* of pages, not only snippets */
	const char *advice;	/* when it refuses */
	/* url has the base: append to it. *ret_body stays NULL: GET. 0 or -ENOMEM. */
	int (*ask)(const struct search_query *query, struct evbuffer *url, json_t **ret_body);
	/* The array of results in an answer, or NULL. */
	const json_t *(*results)(const json_t *answer);
	void (*describe)(const json_t *one, struct search_result *ret_result);
};

struct tool_search {
	const struct search_provider *provider;
	struct tool_search_options options; /* provider, url and key: NULL */
	char *url;			    /* without a slash at its end */
	char *secret_header;		    /* NULL: none */
};

extern const struct search_provider search_provider_searxng, search_provider_exa,
	search_provider_brave;

/* NULL: there is no such provider. */
const struct search_provider *search_provider_find(const char *name);

/* Append "&NAME=VALUE" to a URL, percent-encoded. 0 or -ENOMEM. */
int search_add_parameter(struct evbuffer *url, const char *name, const char *value);
/* The query with its domains as operators: "words (site:a OR site:b) -site:c". NULL: out of memory. */
char *search_with_sites(const struct search_query *query);

/* Is it a result from where the query wants results? By the host of its URL. */
bool search_wants(const struct search_query *query, const char *url);
#endif
