/*
 * http_request.h - a model's URL, method and headers as an argument vector of curl.
 *
 * There is no shell, and nothing that a model writes becomes an option, a file name or a second header:
 * what is no plain http or https URL and no plain header is refused before curl starts. Which hosts may
 * be reached is not judged here but by the sandbox's network, in which curl runs, at every redirect.
 */
#ifndef AGENTD_TOOL_HTTP_REQUEST_H
#define AGENTD_TOOL_HTTP_REQUEST_H
#include <jansson.h>
#include <stdint.h>

struct error;

#define HTTP_URL_MAX	   8192	 /* bytes */
#define HTTP_HEADERS_MAX   64	 /* of a request */
#define HTTP_HEADER_MAX	   8192	 /* bytes of one: name, ": ", value */
#define HTTP_HEADERS_TEXT  65536 /* bytes of them all */
#define HTTP_REDIRECTS_MAX "10"
#define HTTP_DOWNLOAD_MAX  "67108864" /* bytes of a body, as curl wants to have it */
#define HTTP_ARGUMENTS_MAX (40 + 2 * HTTP_HEADERS_MAX)
#define HTTP_TIMEOUT_TEXT  16
/* What curl writes last, a line to stderr: status, bytes of headers, redirects, the URL at last. */
#define HTTP_WRITE_OUT                                                                             \
	"%{stderr}\\n%{http_code} %{size_header} %{num_redirects} %{url_effective}\\n"

struct http_request {
	const char *argv[HTTP_ARGUMENTS_MAX];
	size_t argc;
	char timeout[HTTP_TIMEOUT_TEXT];
	char *headers[HTTP_HEADERS_MAX + 1]; /* one more: Content-Type */
	size_t header_count;
};

/* 0, or -EINVAL: not http or https, no host, userinfo, blanks or control characters. */
int http_request_check_url(const char *url, struct error *err);

/*
 * method is one of the tool's; headers an object or NULL; body a string or NULL: curl reads it from stdin.
 * Borrows url. 0, -EINVAL with what is wrong with which header, or -ENOMEM. Finish it in any case.
 */
int http_request_init(struct http_request *request, const char *url, const char *method,
	const json_t *headers, const char *body, uint32_t timeout_ms, struct error *err);
void http_request_finish(struct http_request *request);
#endif
