/*
 * transfer.h - HTTP(S) requests through libcurl's multi interface on the loop: TLS verified, proxies honoured.
 *
 * What models and search providers are asked through. It knows nothing of JSON or SSE: bytes come by callback.
 */
#ifndef AGENTD_UPSTREAM_TRANSFER_H
#define AGENTD_UPSTREAM_TRANSFER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRANSFERS_MAX 1024

struct error;
struct event_base;
struct transfer; /* under way; invalid once on_done has been called */
struct transfers;

/* 0 or -errno. */
int transfers_create(struct event_base *base, struct transfers **ret_transfers, struct error *err);
/* Those under way end with on_done(-ECANCELED). Accepts NULL. Not from within a callback. */
void transfers_destroy(struct transfers *transfers);

/* Borrowed during transfer_start(). */
struct transfer_request {
	const char *method;	    /* "GET", "POST" */
	const char *url;	    /* http or https only; redirects are not followed */
	const char *socket_path;    /* NULL: none */
	const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
	const char *secret_header;  /* one more, wiped here at the end; NULL: none */
	const void *body;
	size_t body_size;
	uint32_t connect_timeout_ms;
	uint32_t stall_timeout_ms; /* without a byte */
	uint32_t total_timeout_ms; /* 0: none */
	uint64_t response_max;	   /* bytes of body; more is -EFBIG */
};

struct transfer_end {
	/*
	 * 0: answered whole. -ECONNREFUSED, -EHOSTUNREACH (no such name), -ECONNRESET (cut), -ETIMEDOUT, -EFBIG,
	 * -ECANCELED, -EKEYREJECTED (its certificate), -EINVAL (the URL), -ENOMEM, -EIO: anything else.
	 */
	int status;
	const char *error;  /* for people */
	long http_status;   /* 0: none came */
	long retry_after_s; /* -1: not said */
	uint64_t body_bytes;
};

struct transfer_callbacks {
	/* Before the first on_data; without a body, before on_done. May be NULL. */
	void (*on_status)(void *arg, long http_status);
	/* false: end it (on_done -ECANCELED). */
	bool (*on_data)(void *arg, const char *data, size_t size);
	void (*on_done)(
		void *arg, const struct transfer_end *end); /* exactly once, from the loop */
	void *arg;
};

/*
 * 0, or -errno and no callback will come. -EINVAL: the URL is of another scheme; -EBUSY: TRANSFERS_MAX are under
 * way. Callbacks come from the loop; they may start and cancel transfers, but not destroy them all.
 */
int transfer_start(struct transfers *transfers, const struct transfer_request *request,
	const struct transfer_callbacks *callbacks, struct transfer **ret_transfer,
	struct error *err);
/* on_done comes later, with -ECANCELED; on_data does not. Also from within a callback. */
void transfer_cancel(struct transfer *transfer);
#endif
