/*
 * api_server.c - a small server of agentd/api's front for tests/unit/api_http.py: real sockets, a table of its own.
 *
 * Usage: api_server SOCKET [LIMIT=NUMBER...] [any]: listens at SOCKET and on 127.0.0.1 (with "any" on 0.0.0.0 as
 * well) and says "ports N N". On stdin: "keys KEY...", "answer" (who waits at /slow or /late), "late", "stop", and its end ends all. On
 * stdout, a line each: "gone" (a handler was told), "closed N" (open calls), "done" (what a line asked for).
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "agentd/api/front_http.h"
#include "agentd/api/keys.h"
#include "agentd/api/openapi.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/unix_socket.h"

#define BACKLOG	 4096
#define FLOOD_MS 1

static struct api_keys keys;
static struct front_http *http;
static struct event_base *base;
static struct api_call *slow; /* the one that waits */
static struct route_set set;
static unsigned open_calls;

static void say(const char *text)
{
	puts(text);
	fflush(stdout);
}

static void run_health(struct api_call *call)
{
	api_reply(call, json_pack("{s:s}", "status", "ok"));
}

static void run_echo(struct api_call *call)
{
	const json_t *session = json_object_get(call->params, "sessionId");

	if (json_is_string(session))
		api_header(call, "x-session-id", json_string_value(session));
	if (json_is_true(json_object_get(call->params, "fail")))
		api_fail(call, API_CONFLICT, "fail", 1500, "it was to fail: %s",
			json_is_string(session) ? json_string_value(session) : "?");
	else
		api_reply(call, json_pack("{s:O, s:s, s:s}", "params", call->params, "path",
					call->route->path, "request_id", call->request_id));
}

static void run_openapi(struct api_call *call)
{
	api_reply(call, openapi_make(&set, "1", NULL));
}

static void on_gone_end(struct api_call *call)
{
	say("gone");
	open_calls--;
	if (slow == call)
		slow = NULL;
	api_reply(call, json_object());
}

static void run_never(struct api_call *call)
{
	open_calls++;
	call->on_gone = on_gone_end;
}

/* Learns only by and by that it takes long; the command "late" says so. */
static void run_late(struct api_call *call)
{
	open_calls++;
	slow = call;
}

static void run_slow(struct api_call *call)
{
	slow = call;
	run_never(call);
	api_keep_alive(call);
}

/* A stream: the frames it still has to send. */
struct stream {
	struct api_call *call;
	json_int_t next, count;
	bool is_flood, is_open, is_failing;
	char *filler;
	struct event *timer;
};

static void stream_finish(struct stream *s)
{
	struct api_call *call = s->call;

	if (call->is_gone || !s->is_failing)
		api_stream_end(call, "[DONE]");
	else
		api_fail(call, API_UPSTREAM, NULL, 0, "the model hung up");
	if (s->timer)
		event_free(s->timer);
	free(s->filler);
	free(s);
	open_calls--;
}

static void stream_go_on(struct stream *s)
{
	while (s->next < s->count && (s->is_flood || !api_stream_is_full(s->call))) {
		json_t *frame = json_pack("{s:I, s:s}", "n", s->next, "filler", s->filler);

		s->next++;
		api_stream_send(s->call, (uint64_t)s->next, NULL, frame);
	}
	if (s->next == s->count && !s->is_open)
		stream_finish(s);
}

static void on_drained(struct api_call *call)
{
	stream_go_on(call->work);
}

static void on_stream_gone(struct api_call *call)
{
	say("gone");
	stream_finish(call->work);
}

static void run_stream(struct api_call *call)
{
	struct stream *s = calloc(1, sizeof(*s));
	json_int_t bytes = json_integer_value(json_object_get(call->params, "bytes"));

	if (!s || !(s->filler = calloc(1, (size_t)bytes + 1)))
		abort();
	memset(s->filler, 'x', (size_t)bytes);
	s->call = call;
	s->count = json_integer_value(json_object_get(call->params, "count"));
	s->is_flood = json_is_true(json_object_get(call->params, "flood"));
	s->is_open = json_is_true(json_object_get(call->params, "open"));
	s->is_failing = json_is_true(json_object_get(call->params, "fail"));
	call->work = s;
	call->on_gone = on_stream_gone;
	call->on_drained = on_drained;
	open_calls++;
	api_stream_start(call);
	stream_go_on(s);
}

#define ANY "{\"type\":\"object\"}"
#define ITEM                                                                                       \
	"{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"id\"],"               \
	"\"properties\":{\"id\":{\"type\":\"string\"},\"limit\":{\"type\":\"integer\","            \
	"\"minimum\":1},\"all\":{\"type\":\"boolean\"},\"tag\":{\"type\":\"array\","               \
	"\"items\":{\"type\":\"string\"}},\"title\":{\"type\":\"string\"}}}"
#define STREAM                                                                                     \
	"{\"type\":\"object\",\"properties\":{\"count\":{\"type\":\"integer\",\"maximum\":100000}" \
	","                                                                                        \
	"\"bytes\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":100000},"                       \
	"\"flood\":{\"type\":\"boolean\"},\"open\":{\"type\":\"boolean\"},"                        \
	"\"fail\":{\"type\":\"boolean\"}}}"

static const struct route routes[] = {
	{.method = "GET",
		.path = "/health",
		.access = ROUTE_OPEN,
		.is_bare = true,
		.parameters = ANY,
		.run = run_health},
	{.method = "GET",
		.path = "/openapi.json",
		.access = ROUTE_OPEN,
		.is_bare = true,
		.parameters = "{\"type\":\"object\",\"properties\":{}}",
		.run = run_openapi},
	{.method = "POST",
		.path = "/echo",
		.access = ROUTE_KEY,
		.parameters = ANY,
		.run = run_echo},
	{.method = "POST",
		.path = "/large",
		.access = ROUTE_KEY,
		.parameters = ANY,
		.is_large = true,
		.run = run_health},
	{.method = "POST",
		.path = "/rest",
		.access = ROUTE_KEY,
		.shape = API_SHAPE_REST,
		.parameters = ANY,
		.run = run_echo},
	{.method = "GET",
		.path = "/items/:id",
		.access = ROUTE_KEY,
		.parameters = ITEM,
		.run = run_echo},
	{.method = "PATCH",
		.path = "/items/:id",
		.access = ROUTE_KEY,
		.parameters = ITEM,
		.run = run_echo},
	{.method = "DELETE",
		.path = "/items/:id",
		.access = ROUTE_KEY,
		.parameters = ITEM,
		.run = run_echo},
	{.method = "POST",
		.path = "/never",
		.access = ROUTE_KEY,
		.parameters = ANY,
		.run = run_never},
	{.method = "POST",
		.path = "/slow",
		.access = ROUTE_KEY,
		.parameters = ANY,
		.run = run_slow},
	{.method = "POST",
		.path = "/late",
		.access = ROUTE_KEY,
		.parameters = ANY,
		.run = run_late},
	{.method = "GET",
		.path = "/stream",
		.access = ROUTE_KEY,
		.parameters = STREAM,
		.is_stream = true,
		.run = run_stream},
	{.method = NULL,
		.path = "/admin",
		.rpc = "admin.only",
		.access = ROUTE_ADMIN,
		.parameters = ANY,
		.run = run_health},
};

static void set_keys(char *words)
{
	struct api_key list[8] = {0};
	size_t count = 0;

	for (char *word = strtok(words, " \n"); word && count < ARRAY_SIZE(list);
		word = strtok(NULL, " \n")) {
		snprintf(list[count].id, sizeof(list[count].id), "key%.8s", word + 8);
		if (api_key_hash(word, list[count++].hash) < 0)
			abort();
	}
	if (api_keys_set(&keys, list, count, NULL) < 0)
		abort();
	front_http_keys_changed(http);
}

static void on_command(evutil_socket_t fd, short events, void *arg)
{
	char line[1024];

	(void)fd;
	(void)events;
	(void)arg;
	if (!fgets(line, sizeof(line), stdin)) {
		event_base_loopbreak(base);
		return;
	}
	if (strncmp(line, "keys", 4) == 0) {
		set_keys(line + 4);
	} else if (strncmp(line, "late", 4) == 0) {
		if (!slow || !slow->is_gone)
			abort();
		api_keep_alive(slow);
	} else if (strncmp(line, "answer", 6) == 0 && slow) {
		struct api_call *call = take_ptr(&slow);

		open_calls--;
		api_reply(call, json_pack("{s:s}", "slow", "answer"));
	} else if (strncmp(line, "stop", 4) == 0) {
		front_http_stop(http);
	}
	say("done");
}

static unsigned listen_tcp(uint32_t address)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(own);
	struct error err;

	if (fd < 0 || bind(fd, (struct sockaddr *)&own, size) < 0 || listen(fd, BACKLOG) < 0 ||
		getsockname(fd, (struct sockaddr *)&own, &size) < 0 ||
		front_http_listen(http, fd, &err) < 0)
		abort();
	return ntohs(own.sin_port);
}

static void set_limit(struct api_limits *limits, const char *text)
{
	static const struct {
		const char *name;
		size_t offset;
		bool is_size;
	} names[] = {
		{"connections_max", offsetof(struct api_limits, connections.connections_max),
			false},
		{"address_connections_max",
			offsetof(struct api_limits, connections.address_connections_max), false},
		{"head_ms", offsetof(struct api_limits, connections.head_ms), false},
		{"body_ms", offsetof(struct api_limits, connections.body_ms), false},
		{"idle_ms", offsetof(struct api_limits, connections.idle_ms), false},
		{"write_ms", offsetof(struct api_limits, connections.write_ms), false},
		{"calls_max", offsetof(struct api_limits, calls_max), false},
		{"rate", offsetof(struct api_limits, rate), false},
		{"burst", offsetof(struct api_limits, burst), false},
		{"ping_ms", offsetof(struct api_limits, ping_ms), false},
		{"stream_high", offsetof(struct api_limits, stream_high), true},
		{"stream_cap", offsetof(struct api_limits, stream_cap), true},
		{"bodies_max", offsetof(struct api_limits, connections.bodies_max), true},
	};
	const char *equals = strchr(text, '=');
	unsigned long value = equals ? strtoul(equals + 1, NULL, 10) : 0;

	for (size_t i = 0; equals && i < ARRAY_SIZE(names); i++) {
		char *at = (char *)limits + names[i].offset;

		if (strlen(names[i].name) != (size_t)(equals - text) ||
			strncmp(names[i].name, text, (size_t)(equals - text)) != 0)
			continue;
		if (names[i].is_size)
			*(size_t *)(void *)at = value;
		else
			*(unsigned *)(void *)at = (unsigned)value;
		return;
	}
	abort();
}

int main(int argc, char **argv)
{
	static const char *const hosts[] = {"hearth.example", NULL};
	struct api_http_options options = {.routes = routes,
		.route_count = ARRAY_SIZE(routes),
		.keys = &keys,
		.hosts = hosts,
		.limits = api_limits_default};
	bool is_any = argc > 2 && strcmp(argv[argc - 1], "any") == 0;
	struct event *command;
	struct error err;
	unsigned port;
	int fd;

	if (argc < 2)
		return 2;
	for (int i = 2; i < argc - is_any; i++)
		set_limit(&options.limits, argv[i]);
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdin, NULL, _IONBF, 0);
	options.base = base = event_base_new();
	command = event_new(base, STDIN_FILENO, EV_READ | EV_PERSIST, on_command, NULL);
	if (!base || !command || event_add(command, NULL) < 0 ||
		route_set_init(&set, routes, ARRAY_SIZE(routes), &err) < 0 ||
		front_http_create(&options, &http, &err) < 0)
		abort();
	fd = unix_socket_listen(AT_FDCWD, argv[1], SOCK_STREAM, 0600, (gid_t)-1, &err);
	if (fd < 0 || front_http_listen(http, fd, &err) < 0)
		abort();
	port = listen_tcp(INADDR_LOOPBACK);
	printf("ports %u %u\n", port, is_any ? listen_tcp(INADDR_ANY) : 0);
	fflush(stdout);
	event_base_dispatch(base);
	front_http_destroy(http);
	printf("closed %u\n", open_calls);
	event_free(command);
	event_base_free(base);
	route_set_finish(&set);
	api_keys_finish(&keys);
	return 0;
}
