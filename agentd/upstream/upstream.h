/*
 * upstream.h - the way to the models: one request, from messages to the reply that has come whole.
 *
 * Side: agentd. Speaks two dialects, OpenAI Chat Completions and Anthropic Messages, streaming, through libcurl
 * on the caller's loop. Hides tries, back-off, Retry-After and fallbacks; sums usage. Keys stay in here, in memory
 * that is neither dumped nor swapped out, and in no log line or error. What a model sends is foreign.
 */
#ifndef AGENTD_UPSTREAM_UPSTREAM_H
#define AGENTD_UPSTREAM_UPSTREAM_H
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;
struct event_base;
struct upstream;
struct upstream_request; /* under way; invalid once on_done has been called */

#define UPSTREAM_NAME_MAX	32  /* of a provider: [a-z0-9._-] */
#define UPSTREAM_TOOL_CALLS_MAX 128 /* in one reply; more are an error of the model */
#define UPSTREAM_REPLY_MAX	(16 * 1024 * 1024) /* bytes of one reply's text and arguments */

/* DEFAULT: the built-in provider's, else OpenAI. */
enum upstream_dialect { UPSTREAM_DIALECT_DEFAULT, UPSTREAM_OPENAI, UPSTREAM_ANTHROPIC };

/* A provider beside the built-in ones, or one of them changed. Empty or NULL members: the built-in's. */
struct upstream_provider {
	const char *name;
	enum upstream_dialect dialect;
	const char *base_url; /* "https://api.example.com/v1" */
	const char
		*socket_path; /* connect to this Unix socket instead of the URL's host; NULL: no */
	const char *key;      /* copied and wiped by the callee's end; NULL: none */
	uint32_t concurrency; /* requests at a time; the others wait their turn. 0: 16 */
	bool is_scripted; /* no model thinks there, as results say; asked for models that lack provider or key */
};

struct upstream_options {
	const struct upstream_provider *providers;
	size_t provider_count;
	/* Keys by files DIR/PROVIDER_API_KEY (mode without others), looked for before the environment; NULL: none. Opened before privileges are dropped. */
	const char *const *
		key_directories; /* NULL-terminated, or NULL; systemd's CREDENTIALS_DIRECTORY is among them when set */
	uint32_t tries; /* of one model; 0: 4 */
	uint32_t first_wait_ms,
		last_wait_ms; /* between tries, doubling, with jitter; 0: 1000, 30000 */
	uint32_t connect_timeout_ms, stall_timeout_ms; /* 0: 10000, 180000 */
};

/* Reads keys and certificates' paths at once, so that nothing of it is needed after privileges are dropped. 0 or -errno. */
int upstream_create(struct event_base *base, const struct upstream_options *options,
	struct upstream **ret_upstream, struct error *err);
/* Requests under way end with on_done(-ECANCELED). Accepts NULL. Not from within a callback. */
void upstream_destroy(struct upstream *upstream);

/* Borrowed during the call; JSON is shared until the end of the request, and nobody changes it meanwhile. */
struct upstream_ask {
	const char *model; /* "provider/model" */
	const char *const *
		fallbacks; /* NULL-terminated, or NULL: tried in turn when the one before is given up */
	const json_t
		*messages; /* as in OpenAI's chat: {role, content, tool_calls?, tool_call_id?} */
	const json_t *
		tools; /* [{type:"function", function:{name, description, parameters}}]; NULL: none */
	const char *reasoning; /* off minimal low medium high xhigh; NULL: the provider's default */
	const json_t *
		options; /* temperature, max_tokens, top_p, stop, parallel_tool_calls: passed on; NULL: none */
};

enum upstream_finish { UPSTREAM_STOP, UPSTREAM_LENGTH, UPSTREAM_TOOLS, UPSTREAM_FILTERED };

struct upstream_usage {
	uint64_t prompt_tokens, completion_tokens;
};

struct upstream_result {
	int status; /* 0, or -errno: -EACCES the key, -ENOENT the provider or model, -EBUSY still limited, -EPROTO not understood, -EINVAL refused as wrong, -EMSGSIZE longer than the model takes, -ETIMEDOUT, -ECONNRESET cut, -ECANCELED, -EIO others */
	const char *error;	 /* for people, without keys; "" when status is 0 */
	uint32_t retry_after_ms; /* -EBUSY: what was asked for; 0: not said */
	enum upstream_finish finish;
	/*
	 * {role:"assistant", content (string or null), tool_calls: [{id, type, function: {name, arguments}}]}: arguments
	 * are the model's text, which need not be JSON. With status -ECONNRESET, -ETIMEDOUT or -ECANCELED: what had come, when text had been
	 * passed to on_text (such a request is not tried again: its reader has seen the beginning), without tool calls,
	 * which may be cut; else NULL. Borrowed. Further members (thinking_blocks, extra_content of a call) are the
	 * server's: keep the message as it is and give it back with the next turn; other providers are not sent them.
	 */
	json_t *message;
	struct upstream_usage usage; /* of all tries */
	const char *model;	     /* that answered, or was asked last */
	unsigned tries;
	bool is_scripted;
};

/* From the loop only, never from within upstream_ask(). Only on_done is needed. */
struct upstream_callbacks {
	void (*on_text)(
		void *arg, const char *text, size_t size); /* valid UTF-8, whole characters */
	void (*on_thinking)(void *arg, const char *text, size_t size); /* likewise */
	void (*on_tool_call)(void *arg, const char *id,
		const char *name); /* one begins; its arguments come with the end */
	/* model is asked next; what on_thinking and on_tool_call said before is void. */
	void (*on_retry)(void *arg, const char *model, const char *why, uint32_t wait_ms);
	void (*on_done)(void *arg,
		const struct upstream_result *result); /* exactly once; the request is gone then */
	void *arg;
};

/* 0, or -errno and no callback will come. */
int upstream_ask(struct upstream *upstream, const struct upstream_ask *ask,
	const struct upstream_callbacks *callbacks, struct upstream_request **ret_request,
	struct error *err);
/* on_done comes later, with -ECANCELED. */
void upstream_cancel(struct upstream_request *request);
#endif
