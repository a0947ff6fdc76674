#include "agentd/tool/search.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agentd/tool/search_provider.h"
#include "base/cleanup.h"
#include "base/error.h"

static void cleanup_search(struct tool_search **search)
{
	tool_search_destroy(*search);
}
#define auto_search __attribute__((cleanup(cleanup_search)))

static bool is_set(const char *text)
{
	return text && text[0];
}

static int set_url(struct tool_search *search, const char *url, struct error *err)
{
	const char *name = search->provider->name;
	size_t length;

	if (!is_set(url))
		url = search->provider->url;
	if (!url)
		return error_set(err, EINVAL, "search provider %s: its url is missing", name);
	if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
		return error_set(
			err, EINVAL, "search provider %s: url: must be http or https", name);
	search->url = strdup(url);
	if (!search->url)
		return error_set(err, ENOMEM, "out of memory");
	for (length = strlen(url); length > 0 && url[length - 1] == '/'; length--)
		search->url[length - 1] = '\0';
	return 0;
}

static bool is_key(const char *key)
{
	if (strlen(key) > SEARCH_KEY_MAX)
		return false;
	for (; *key; key++)
		if ((unsigned char)*key <= 0x20 || (unsigned char)*key >= 0x7f)
			return false;
	return true;
}

static int set_key(struct tool_search *search, const char *key, struct error *err)
{
	const struct search_provider *provider = search->provider;

	if (!provider->key_header)
		return 0;
	if (!is_set(key))
		return error_set(
			err, EINVAL, "search provider %s: its key is missing", provider->name);
	if (!is_key(key))
		return error_set(err, EINVAL,
			"search provider %s: key: has a blank, a control character or more than "
			"%d bytes",
			provider->name, SEARCH_KEY_MAX);
	if (asprintf(&search->secret_header, "%s: %s", provider->key_header, key) < 0) {
		search->secret_header = NULL;
		return error_set(err, ENOMEM, "out of memory");
	}
	return 0;
}

int tool_search_create(const struct tool_search_options *options, struct tool_search **ret_search,
	struct error *err)
{
	auto_search struct tool_search *search = calloc(1, sizeof(*search));
	int r;

	if (!search)
		return error_set(err, ENOMEM, "out of memory");
	search->options = *options;
	search->options.provider = search->options.url = search->options.key = NULL;
	search->provider = search_provider_find(options->provider);
	if (!search->provider)
		return error_set(err, EINVAL,
			"search provider %.40s: not known: searxng, exa or brave",
			options->provider);
	r = set_url(search, options->url, err);
	if (r == 0)
		r = set_key(search, options->key, err);
	if (r < 0)
		return r;
	*ret_search = take_ptr(&search);
	return 0;
}

void tool_search_destroy(struct tool_search *search)
{
	if (!search)
		return;
	if (search->secret_header)
		explicit_bzero(search->secret_header, strlen(search->secret_header));
	free(search->secret_header);
	free(search->url);
	free(search);
}
