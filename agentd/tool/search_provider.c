#include "agentd/tool/search_provider.h"

#include <errno.h>
#include <event2/buffer.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

static const struct search_provider *const providers[] = {
	&search_provider_searxng,
	&search_provider_exa,
	&search_provider_brave,
};

const struct search_provider *search_provider_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(providers); i++)
		if (strcmp(providers[i]->name, name) == 0)
			return providers[i];
	return NULL;
}

static bool is_unreserved(char c)
{
	return ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("-._~", c));
}

int search_add_parameter(struct evbuffer *url, const char *name, const char *value)
{
	int r = evbuffer_add_printf(url, "&%s=", name);

	for (; r >= 0 && *value; value++)
		r = is_unreserved(*value)
			    ? evbuffer_add(url, value, 1)
			    : evbuffer_add_printf(url, "%%%02X", (unsigned)(unsigned char)*value);
	return r < 0 ? -ENOMEM : 0;
}

static int add_sites(struct evbuffer *to, const json_t *domains, const char *before,
	const char *between, const char *after)
{
	size_t index;
	json_t *domain;
	int r = 0;

	json_array_foreach(domains, index, domain)
	{
		r |= evbuffer_add_printf(
			to, "%s%s", index == 0 ? before : between, json_string_value(domain));
	}
	if (json_array_size(domains) > 0)
		r |= evbuffer_add_printf(to, "%s", after);
	return r;
}

char *search_with_sites(const struct search_query *query)
{
	struct evbuffer *text = evbuffer_new();
	char *all = NULL;
	size_t size;

	if (text && (evbuffer_add_printf(text, "%s", query->text) |
			    add_sites(text, query->include, " (site:", " OR site:", ")") |
			    add_sites(text, query->exclude, " -site:", " -site:", "")) >= 0) {
		size = evbuffer_get_length(text);
		all = calloc(1, size + 1);
		if (all)
			evbuffer_copyout(text, all, size);
	}
	if (text)
		evbuffer_free(text);
	return all;
}

/* Of "scheme://user@host:port/path", as browsers read it; empty where there is none. */
static size_t host_of(const char *url, const char **ret_host)
{
	const char *scheme = strstr(url, "://");
	const char *host = scheme ? scheme + 3 : "";
	const char *end = host + strcspn(host, "/\\?#");
	const char *user = memrchr(host, '@', (size_t)(end - host));
	const char *port;

	if (user)
		host = user + 1;
	port = memchr(host, ':', (size_t)(end - host));
	*ret_host = host;
	return (size_t)((port ? port : end) - host);
}

static bool is_of_domain(const char *host, size_t length, const char *domain)
{
	size_t size = strlen(domain);

	if (length < size || strncasecmp(host + length - size, domain, size) != 0)
		return false;
	return length == size || host[length - size - 1] == '.';
}

static bool is_of_any(const char *host, size_t length, const json_t *domains)
{
	size_t index;
	json_t *domain;

	json_array_foreach(domains, index, domain)
	{
		if (is_of_domain(host, length, json_string_value(domain)))
			return true;
	}
	return false;
}

bool search_wants(const struct search_query *query, const char *url)
{
	const char *host;
	size_t length = host_of(url, &host);

	if (is_of_any(host, length, query->exclude))
		return false;
	return json_array_size(query->include) == 0 || is_of_any(host, length, query->include);
}
