#include "agentd/upstream/transfer.h"

#include <curl/curl.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/upstream/transfer_curl.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"

#define CONNECTIONS_KEPT 64L /* open for a next request */

struct transfers {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;  /* libcurl's */
	struct event *reaper; /* of those that were cancelled */
	struct list running, cancelled;
	unsigned count;
	bool is_closing;
	bool is_curl_up;
	char *ca_file; /* NULL: the system's */
};

struct transfer {
	struct list in_transfers; /* running or cancelled */
	struct transfers *owner;
	CURL *easy;
	struct curl_slist *headers;
	struct event *stall;
	struct transfer_callbacks callbacks;
	uint32_t stall_timeout_ms;
	uint64_t response_max, body_bytes;
	uint64_t last_byte_ms;
	curl_off_t sent_bytes; /* of the request's body */
	int end_status;	       /* why on_body() has ended it; 0: it has not */
	bool has_told_status;
	char error[CURL_ERROR_SIZE];
};

static void arm(struct event *timer, uint64_t ms)
{
	const struct timeval delay = {(time_t)(ms / 1000), (suseconds_t)(ms % 1000 * 1000)};

	event_add(timer, &delay);
}

static void transfer_destroy(struct transfer *transfer)
{
	if (!transfer)
		return;
	list_remove(&transfer->in_transfers);
	if (transfer->easy)
		curl_easy_cleanup(transfer->easy);
	/* One of them is secret. libcurl's own copy lives as long as it sends. */
	for (struct curl_slist *header = transfer->headers; header; header = header->next)
		explicit_bzero(header->data, strlen(header->data));
	curl_slist_free_all(transfer->headers);
	if (transfer->stall)
		event_free(transfer->stall);
	free(transfer);
}

static void tell_status(struct transfer *transfer, long http_status)
{
	if (!transfer->has_told_status && transfer->callbacks.on_status)
		transfer->callbacks.on_status(transfer->callbacks.arg, http_status);
	transfer->has_told_status = true;
}

/* Outside of libcurl's callbacks only: within them it may not lose a handle. */
static void finish(struct transfer *transfer, int status, const char *why)
{
	struct transfer_end end = {.status = status, .error = why, .retry_after_s = -1};
	curl_off_t retry_after = 0;

	end.body_bytes = transfer->body_bytes;
	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &end.http_status);
	curl_easy_getinfo(transfer->easy, CURLINFO_RETRY_AFTER, &retry_after);
	if (end.http_status < 200) /* a provisional answer */
		end.http_status = 0;
	if (retry_after > 0)
		end.retry_after_s = (long)retry_after;
	curl_multi_remove_handle(transfer->owner->multi, transfer->easy);
	list_remove(&transfer->in_transfers);
	transfer->owner->count--;
	if (status == 0)
		tell_status(transfer, end.http_status);
	transfer->callbacks.on_done(transfer->callbacks.arg, &end);
	transfer_destroy(transfer);
}

static const char *text_of(const struct transfer *transfer, CURLcode code)
{
	if (code == CURLE_OK)
		return "";
	if (transfer->end_status == -EFBIG)
		return "the answer is larger than is taken";
	if (transfer->end_status)
		return "cancelled";
	return transfer->error[0] ? transfer->error : curl_easy_strerror(code);
}

/* End those that libcurl is done with. */
static void collect(struct transfers *transfers)
{
	struct transfer *transfer;
	CURLMsg *message;
	CURLcode code;
	int left;

	while ((message = curl_multi_info_read(transfers->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		code = message->data.result;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		finish(transfer,
			transfer->end_status ? transfer->end_status : transfer_curl_status(code),
			text_of(transfer, code));
	}
}

static void on_ready(evutil_socket_t fd, short events, void *arg)
{
	struct transfers *transfers = arg;
	int what = ((events & EV_READ) ? CURL_CSELECT_IN : 0) |
		   ((events & EV_WRITE) ? CURL_CSELECT_OUT : 0);
	int running;

	curl_multi_socket_action(transfers->multi, fd, what, &running);
	collect(transfers);
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	struct transfers *transfers = arg;
	int running;

	(void)fd;
	(void)events;
	curl_multi_socket_action(transfers->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(transfers);
}

/* libcurl wants to know when this socket is ready; watch is what it kept for us. */
static int on_watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *watch)
{
	struct transfers *transfers = arg;
	struct event *event = watch;
	short events = EV_PERSIST;

	(void)easy;
	if (event)
		event_free(event);
	event = NULL;
	if (what & CURL_POLL_IN)
		events |= EV_READ;
	if (what & CURL_POLL_OUT)
		events |= EV_WRITE;
	if (what != CURL_POLL_REMOVE) {
		event = event_new(transfers->base, fd, events, on_ready, transfers);
		if (event)
			event_add(event, NULL);
	}
	curl_multi_assign(transfers->multi, fd, event);
	return what != CURL_POLL_REMOVE && !event ? -1 : 0;
}

static int on_timeout_change(CURLM *multi, long timeout_ms, void *arg)
{
	struct transfers *transfers = arg;

	(void)multi;
	if (timeout_ms < 0)
		event_del(transfers->timer);
	else
		arm(transfers->timer, (uint64_t)timeout_ms);
	return 0;
}

static void on_reaper(evutil_socket_t fd, short events, void *arg)
{
	struct transfers *transfers = arg;
	struct transfer *transfer;

	(void)fd;
	(void)events;
	while ((transfer = list_first(&transfers->cancelled, struct transfer, in_transfers)))
		finish(transfer, -ECANCELED, "cancelled");
}

int transfers_create(struct event_base *base, struct transfers **ret_transfers, struct error *err)
{
	struct transfers *transfers = calloc(1, sizeof(*transfers));
	const char *ca_file = getenv("SSL_CERT_FILE"); /* as OpenSSL's programs have it */

	if (!transfers)
		return error_set(err, ENOMEM, "out of memory");
	list_init(&transfers->running);
	list_init(&transfers->cancelled);
	transfers->base = base;
	transfers->is_curl_up = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	if (transfers->is_curl_up)
		transfers->multi = curl_multi_init();
	transfers->timer = event_new(base, -1, 0, on_timer, transfers);
	transfers->reaper = event_new(base, -1, 0, on_reaper, transfers);
	if (ca_file && *ca_file)
		transfers->ca_file = strdup(ca_file);
	if (!transfers->multi || !transfers->timer || !transfers->reaper) {
		transfers_destroy(transfers);
		return error_set(err, ENOMEM, "start libcurl: out of memory");
	}
	curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETFUNCTION, on_watch);
	curl_multi_setopt(transfers->multi, CURLMOPT_SOCKETDATA, transfers);
	curl_multi_setopt(transfers->multi, CURLMOPT_TIMERFUNCTION, on_timeout_change);
	curl_multi_setopt(transfers->multi, CURLMOPT_TIMERDATA, transfers);
	curl_multi_setopt(transfers->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT);
	*ret_transfers = transfers;
	return 0;
}

void transfers_destroy(struct transfers *transfers)
{
	struct transfer *transfer;

	if (!transfers)
		return;
	transfers->is_closing = true;
	while ((transfer = list_first(&transfers->running, struct transfer, in_transfers)) ||
		(transfer = list_first(&transfers->cancelled, struct transfer, in_transfers)))
		finish(transfer, -ECANCELED, "cancelled");
	/* Closes the connections that were kept, for which it calls on_watch(). */
	curl_multi_cleanup(transfers->multi);
	if (transfers->is_curl_up)
		curl_global_cleanup();
	if (transfers->timer)
		event_free(transfers->timer);
	if (transfers->reaper)
		event_free(transfers->reaper);
	free(transfers->ca_file);
	free(transfers);
}

static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
	struct transfer *transfer = arg;
	long http_status = 0;

	(void)one; /* always 1 */
	transfer->last_byte_ms = clock_now_ms();
	if (!transfer->has_told_status) {
		curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &http_status);
		tell_status(transfer, http_status);
	}
	if (size > transfer->response_max - transfer->body_bytes)
		transfer->end_status = -EFBIG;
	else if (!transfer->end_status &&
		 !transfer->callbacks.on_data(transfer->callbacks.arg, data, size))
		transfer->end_status = -ECANCELED;
	if (transfer->end_status)
		return CURL_WRITEFUNC_ERROR;
	transfer->body_bytes += size;
	return size;
}

static size_t on_header(char *data, size_t one, size_t size, void *arg)
{
	struct transfer *transfer = arg;

	(void)data;
	(void)one;
	transfer->last_byte_ms = clock_now_ms();
	return size;
}

/* libcurl tells it after each step. A large request on a slow line is no silence. */
static int on_progress(
	void *arg, curl_off_t answer_size, curl_off_t received, curl_off_t size, curl_off_t sent)
{
	struct transfer *transfer = arg;

	(void)answer_size;
	(void)received;
	(void)size;
	if (sent != transfer->sent_bytes)
		transfer->last_byte_ms = clock_now_ms();
	transfer->sent_bytes = sent;
	return 0;
}

static void on_stall(evutil_socket_t fd, short events, void *arg)
{
	struct transfer *transfer = arg;
	uint64_t now = clock_now_ms();
	char why[64];

	(void)fd;
	(void)events;
	if (now - transfer->last_byte_ms < transfer->stall_timeout_ms) {
		arm(transfer->stall, transfer->last_byte_ms + transfer->stall_timeout_ms - now);
		return;
	}
	snprintf(why, sizeof(why), "nothing came for %u ms", transfer->stall_timeout_ms);
	finish(transfer, -ETIMEDOUT, why);
}

static bool set_callbacks(struct transfer *transfer)
{
	CURL *easy = transfer->easy;

	return curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_XFERINFODATA, transfer) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer) == CURLE_OK;
}

static struct transfer *transfer_create(struct transfers *transfers,
	const struct transfer_request *request, const struct transfer_callbacks *callbacks)
{
	struct transfer *transfer = calloc(1, sizeof(*transfer));

	if (!transfer)
		return NULL;
	list_init(&transfer->in_transfers);
	transfer->owner = transfers;
	transfer->callbacks = *callbacks;
	transfer->stall_timeout_ms = request->stall_timeout_ms;
	transfer->response_max = request->response_max;
	transfer->last_byte_ms = clock_now_ms();
	transfer->easy = curl_easy_init();
	transfer->stall = event_new(transfers->base, -1, 0, on_stall, transfer);
	return transfer;
}

int transfer_start(struct transfers *transfers, const struct transfer_request *request,
	const struct transfer_callbacks *callbacks, struct transfer **ret_transfer,
	struct error *err)
{
	struct transfer *transfer;

	if (strncmp(request->url, "http://", 7) != 0 && strncmp(request->url, "https://", 8) != 0)
		return error_set(err, EINVAL, "URL %.80s: must begin with https:// or http://",
			request->url);
	if (transfers->is_closing)
		return error_set(err, ECANCELED, "requests are no longer taken");
	if (transfers->count == TRANSFERS_MAX)
		return error_set(err, EBUSY, "%d requests are under way", TRANSFERS_MAX);
	transfer = transfer_create(transfers, request, callbacks);
	if (!transfer || !transfer->easy || !transfer->stall || !set_callbacks(transfer) ||
		!transfer_curl_set(
			transfer->easy, request, transfers->ca_file, &transfer->headers) ||
		curl_multi_add_handle(transfers->multi, transfer->easy) != CURLM_OK) {
		transfer_destroy(transfer);
		return error_set(err, ENOMEM, "libcurl cannot make a request: out of memory");
	}
	list_append(&transfers->running, &transfer->in_transfers);
	transfers->count++;
	if (request->stall_timeout_ms > 0)
		arm(transfer->stall, request->stall_timeout_ms);
	*ret_transfer = transfer;
	return 0;
}

void transfer_cancel(struct transfer *transfer)
{
	if (transfer->end_status)
		return;
	transfer->end_status = -ECANCELED;
	list_remove(&transfer->in_transfers);
	list_append(&transfer->owner->cancelled, &transfer->in_transfers);
	arm(transfer->owner->reaper, 0);
}
