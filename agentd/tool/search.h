/*
 * search.h - the search service that the tool search_web asks: a provider, its address and its key.
 *
 * Side: agentd; the key never enters a sandbox, an answer or an error. Answers of a provider are foreign.
 */
#ifndef AGENTD_TOOL_SEARCH_H
#define AGENTD_TOOL_SEARCH_H
#include "agentd/upstream/transfer.h"

struct tool_search;

#define SEARCH_KEY_MAX 4096 /* bytes */

struct tool_search_options {
	const char *provider; /* "searxng", "exa" or "brave" */
	const char *url;      /* NULL or "": the provider's own; searxng has none */
	const char *key;      /* NULL or "": none; exa and brave want one */
	/* Borrowed; outlives the service. The functions are those of transfer.h, or a test's. */
	struct transfers *transfers;
	int (*start)(struct transfers *transfers, const struct transfer_request *request,
		const struct transfer_callbacks *callbacks, struct transfer **ret_transfer,
		struct error *err);
	void (*cancel)(struct transfer *transfer);
};

/* Copies the strings. 0, -ENOMEM, or -EINVAL: no such provider, or url or key are wrong or missing. */
int tool_search_create(const struct tool_search_options *options, struct tool_search **ret_search,
	struct error *err);
/* Wipes the key. No search may be under way: end them first, as transfers_destroy() does. Accepts NULL. */
void tool_search_destroy(struct tool_search *search);
#endif
