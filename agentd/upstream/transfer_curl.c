#include "agentd/upstream/transfer_curl.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "agentd/upstream/transfer.h"

#define USER_AGENT "hearth"

static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)arg;
	(void)purpose;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* What listens on this machine is not asked through a proxy, whatever the environment says. */
static bool is_loopback(const char *url)
{
	CURLU *parts = curl_url();
	char *host = NULL;
	bool is = false;

	if (parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
		curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK)
		is = strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
		     strncmp(host, "127.", 4) == 0;
	curl_free(host);
	curl_url_cleanup(parts);
	return is;
}

/* Takes over nothing; on failure the list is as it was. */
static bool add_header(struct curl_slist **headers, const char *header)
{
	struct curl_slist *grown = curl_slist_append(*headers, header);

	if (grown)
		*headers = grown;
	return grown;
}

static bool set_headers(
	CURL *easy, const struct transfer_request *request, struct curl_slist **headers)
{
	bool ok = add_header(headers, "Expect:"); /* no round trip before a body */

	for (size_t i = 0; ok && request->headers && request->headers[i]; i++)
		ok = add_header(headers, request->headers[i]);
	if (ok && request->secret_header)
		ok = add_header(headers, request->secret_header);
	return ok && curl_easy_setopt(easy, CURLOPT_HTTPHEADER, *headers) == CURLE_OK;
}

static bool set_body(CURL *easy, const struct transfer_request *request)
{
	if (strcmp(request->method, "GET") == 0)
		return true;
	return curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
		       (curl_off_t)request->body_size) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS,
		       request->body ? (const char *)request->body : "") == CURLE_OK;
}

/* How the other end is found and believed. Redirects stay unfollowed: that is libcurl's default. */
static bool set_way(CURL *easy, const struct transfer_request *request, const char *ca_file)
{
	bool is_direct = request->socket_path || is_loopback(request->url);

	return curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       /* Else an end would wait for the thread that asks a dead resolver. */
	       curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ==
		       CURLE_OK &&
	       (!ca_file || curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file) == CURLE_OK) &&
	       (!is_direct || curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK) &&
	       (!request->socket_path || curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH,
						 request->socket_path) == CURLE_OK) &&
	       curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
		       (long)request->connect_timeout_ms) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->total_timeout_ms) ==
		       CURLE_OK;
}

bool transfer_curl_set(CURL *easy, const struct transfer_request *request, const char *ca_file,
	struct curl_slist **headers)
{
	return set_way(easy, request, ca_file) && set_headers(easy, request, headers) &&
	       set_body(easy, request);
}

int transfer_curl_status(CURLcode code)
{
	switch ((int)code) {
	case CURLE_OK:
		return 0;
	case CURLE_URL_MALFORMAT:
		return -EINVAL;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return -EKEYREJECTED;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		return -ECONNRESET;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EIO;
	}
}
