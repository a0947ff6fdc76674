/*
 * candidates.h - the models that may answer a request: the one that was asked for, then its fallbacks.
 */
#ifndef AGENTD_UPSTREAM_CANDIDATES_H
#define AGENTD_UPSTREAM_CANDIDATES_H
#include <stddef.h>

#include "agentd/upstream/provider.h"

#define CANDIDATES_MAX 8

struct error;

struct candidate {
	char *name;	   /* "provider/model" */
	const char *model; /* its second half */
	struct provider *provider;
};

struct candidates {
	struct candidate items[CANDIDATES_MAX];
	size_t count, at; /* at: whose turn it is */
};

/*
 * fallbacks: ends with NULL; NULL: none. Those that cannot be asked are left out; when none is left, the error is that of the
 * first: -ENOENT (no such provider), -EACCES (it has no key). -EINVAL: a name that is none, or too many; -ENOMEM. Ended with
 * candidates_finish() in any case.
 */
int candidates_init(struct candidates *candidates, struct provider_list *providers,
	const char *model, const char *const *fallbacks, struct error *err);
void candidates_finish(struct candidates *candidates);
#endif
