/* transfer_curl.h - a request in libcurl's words: where it goes, how the other end is believed, what it says; and how it ended. */
#ifndef AGENTD_UPSTREAM_TRANSFER_CURL_H
#define AGENTD_UPSTREAM_TRANSFER_CURL_H
#include <curl/curl.h>
#include <stdbool.h>

struct transfer_request;

/*
 * ca_file: NULL: the system's. headers: a list, NULL at first, that easy borrows from now on and the caller wipes and
 * frees after it, on failure too. False: out of memory.
 */
bool transfer_curl_set(CURL *easy, const struct transfer_request *request, const char *ca_file,
	struct curl_slist **headers);

/* As struct transfer_end has it. */
int transfer_curl_status(CURLcode code);
#endif
