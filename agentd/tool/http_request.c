#include "agentd/tool/http_request.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/error.h"

/* What each method takes; a redirect is followed only where that repeats no change. */
static const struct {
	const char *name;
	const char *options[3];
	bool is_followed;
} methods[] = {
	{"GET", {NULL}, true},
	{"HEAD", {"--head", NULL}, true},
	{"POST", {NULL}, true},
	{"PUT", {"--request", "PUT", NULL}, false},
	{"PATCH", {"--request", "PATCH", NULL}, false},
	{"DELETE", {"--request", "DELETE", NULL}, false},
};

static const char *after_scheme(const char *url)
{
	if (strncasecmp(url, "http://", 7) == 0)
		return url + 7;
	return strncasecmp(url, "https://", 8) == 0 ? url + 8 : NULL;
}

int http_request_check_url(const char *url, struct error *err)
{
	const char *host = after_scheme(url);
	size_t length;

	for (const char *at = url; *at; at++)
		if ((unsigned char)*at <= 0x20 || *at == 0x7f)
			return error_set(err, EINVAL,
				"url: has a blank or control character: percent-encode it");
	if (!host)
		return error_set(err, EINVAL,
			"url: begins with neither http:// nor https://: only these are fetched");
	length = strcspn(host, "/?#");
	if (memchr(host, '@', length))
		return error_set(err, EINVAL,
			"url: has a user or password before @: send an Authorization header");
	if (memchr(host, '\\', length))
		return error_set(err, EINVAL, "url: has a backslash in its host: use /");
	if (length == 0 || host[0] == ':')
		return error_set(err, EINVAL, "url: has no host");
	return 0;
}

/* A token of RFC 9110, section 5.6.2, but for one that looks like an option. */
static bool is_token(const char *name)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (const char *at = name; *at; at++) {
		bool is_letter = (*at | 0x20) >= 'a' && (*at | 0x20) <= 'z';

		if (!is_letter && !(*at >= '0' && *at <= '9') && !strchr(others, *at))
			return false;
	}
	return name[0] != '\0' && name[0] != '-';
}

static bool is_field_value(const char *value)
{
	for (; *value; value++)
		if (((unsigned char)*value < 0x20 && *value != '\t') || *value == 0x7f)
			return false;
	return true;
}

static int add_header(
	struct http_request *request, const char *name, const char *value, struct error *err)
{
	char **to = &request->headers[request->header_count];

	/* curl leaves out a header without a value, unless it ends in a semicolon. */
	if (asprintf(to, value[0] ? "%s: %s" : "%s;%s", name, value) < 0) {
		*to = NULL;
		return error_set(err, ENOMEM, "out of memory");
	}
	request->argv[request->argc++] = "--header";
	request->argv[request->argc++] = *to;
	request->header_count++;
	return 0;
}

static int check_header(const char *name, const json_t *value, struct error *err)
{
	const char *text = json_string_value(value);

	if (!is_token(name))
		return error_set(
			err, EINVAL, "headers: a name must be letters, digits and -, not - first");
	if (!text)
		return error_set(err, EINVAL, "headers.%.60s: must be a string", name);
	if (strlen(text) != json_string_length(value) || !is_field_value(text))
		return error_set(
			err, EINVAL, "headers.%.60s: has a line break or control character", name);
	if (strlen(name) + 2 + strlen(text) > HTTP_HEADER_MAX)
		return error_set(err, EINVAL, "headers.%.60s: has more than %d bytes", name,
			HTTP_HEADER_MAX);
	return 0;
}

static int add_headers(struct http_request *request, const json_t *headers, struct error *err)
{
	const char *name;
	json_t *value;
	size_t size = 0;
	int r;

	if (json_object_size(headers) > HTTP_HEADERS_MAX)
		return error_set(err, EINVAL, "headers: %zu, at most %d", json_object_size(headers),
			HTTP_HEADERS_MAX);
	json_object_foreach((json_t *)headers, name, value)
	{
		r = check_header(name, value, err);
		if (r < 0)
			return r;
		size += strlen(name) + 2 + json_string_length(value);
		if (size > HTTP_HEADERS_TEXT)
			return error_set(err, EINVAL, "headers: more than %d bytes in all",
				HTTP_HEADERS_TEXT);
		r = add_header(request, name, json_string_value(value), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static bool has_header(const json_t *headers, const char *wanted)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)headers, name, value)
	{
		if (strcasecmp(name, wanted) == 0)
			return true;
	}
	return false;
}

/* curl would call every body a form. */
static const char *type_of(const char *body)
{
	json_auto_t *json = json_loads(body, 0, NULL);

	return json ? "application/json" : "text/plain; charset=utf-8";
}

static void add(struct http_request *request, ...)
{
	const char *option;
	va_list options;

	va_start(options, request);
	while ((option = va_arg(options, const char *)))
		request->argv[request->argc++] = option;
	va_end(options);
}

static void add_method(struct http_request *request, const char *method)
{
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		if (strcmp(methods[i].name, method) != 0)
			continue;
		for (const char *const *option = methods[i].options; *option; option++)
			add(request, *option, NULL);
		if (methods[i].is_followed)
			add(request, "--location", "--max-redirs", HTTP_REDIRECTS_MAX, NULL);
	}
}

int http_request_init(struct http_request *request, const char *url, const char *method,
	const json_t *headers, const char *body, uint32_t timeout_ms, struct error *err)
{
	int r;

	memset(request, 0, sizeof(*request));
	r = http_request_check_url(url, err);
	if (r < 0)
		return r;
	if (body && (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0))
		return error_set(err, EINVAL, "body: %s takes none: set method", method);
	snprintf(request->timeout, sizeof(request->timeout), "%u.%03u", timeout_ms / 1000,
		timeout_ms % 1000);
	/* --disable: not what a .curlrc of the sandbox says. --globoff: {} and [] are themselves. */
	add(request, "curl", "--disable", "--silent", "--show-error", "--include", "--globoff",
		"--proto", "=http,https", "--proto-redir", "=http,https", "--max-filesize",
		HTTP_DOWNLOAD_MAX, "--max-time", request->timeout, "--write-out", HTTP_WRITE_OUT,
		NULL);
	add_method(request, method);
	r = add_headers(request, headers, err);
	if (r == 0 && body && !has_header(headers, "Content-Type"))
		r = add_header(request, "Content-Type", type_of(body), err);
	if (r < 0)
		return r;
	if (body || method[0] == 'P') /* those want a body, be it an empty one */
		add(request, "--data-binary", body ? "@-" : "", NULL);
	add(request, "--url", url, NULL);
	return 0;
}

void http_request_finish(struct http_request *request)
{
	for (size_t i = 0; i < request->header_count; i++)
		free(request->headers[i]);
	request->header_count = 0;
}
