#include "agentd/upstream/candidates.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"

static int add(struct candidates *candidates, struct provider_list *providers, const char *name,
	struct error *err)
{
	struct candidate *candidate = &candidates->items[candidates->count];
	int r;

	if (candidates->count == CANDIDATES_MAX)
		return error_set(err, EINVAL, "more than %d models", CANDIDATES_MAX);
	candidate->name = strdup(name);
	if (!candidate->name)
		return error_set(err, ENOMEM, "out of memory");
	r = provider_find(providers, candidate->name, &candidate->provider, &candidate->model, err);
	if (r == 0)
		candidates->count++;
	else
		free(take_ptr(&candidate->name));
	return r;
}

static bool is_left_out(int r)
{
	return r == -ENOENT || r == -EACCES;
}

int candidates_init(struct candidates *candidates, struct provider_list *providers,
	const char *model, const char *const *fallbacks, struct error *err)
{
	struct error why;
	int r, r_fallback;

	*candidates = (struct candidates){0};
	r = add(candidates, providers, model, err);
	if (r < 0 && !is_left_out(r))
		return r;
	for (; fallbacks && *fallbacks; fallbacks++) {
		r_fallback = add(candidates, providers, *fallbacks, &why);
		if (r_fallback < 0 && !is_left_out(r_fallback))
			return error_set(err, why.code, "%s", why.text);
	}
	return candidates->count > 0 ? 0 : r;
}

void candidates_finish(struct candidates *candidates)
{
	for (size_t i = 0; i < candidates->count; i++)
		free(candidates->items[i].name);
}
