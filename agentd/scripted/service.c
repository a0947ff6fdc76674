#include "agentd/scripted/service.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/scripted/chat.h"
#include "agentd/scripted/door.h"
#include "agentd/scripted/scenario.h"
#include "agentd/scripted/speech.h"
#include "agentd/scripted/wire.h"
#include "base/cleanup.h"
#include "base/error.h"

#define NUMBER_SIZE 24
#define MODELS_PATH "/v1/models"

struct service {
	struct event_base *base;
	struct door *door;
	struct scenario *scenario;
	uint64_t requests;
};

/* One request, from its arrival until its reply is over. */
struct exchange {
	struct service *service;
	struct evhttp_request *request;
	const struct dialect *dialect;
	struct chat chat;
	struct scenario_step step;
	struct speech speech;
	struct evbuffer *body; /* that is sent whole; NULL: the speech is streamed */
};

static void exchange_destroy(struct exchange *exchange)
{
	if (!exchange)
		return;
	chat_finish(&exchange->chat);
	scenario_step_finish(&exchange->step);
	if (exchange->body)
		evbuffer_free(exchange->body);
	free(exchange);
}

static void on_end(void *arg)
{
	exchange_destroy(arg);
}

/* The next event, behind what is there. Some pieces are none in a dialect. Short of memory, the stream just ends. */
static bool write_event(struct exchange *exchange, struct evbuffer *out)
{
	size_t before = evbuffer_get_length(out);
	enum speech_piece piece;

	while (evbuffer_get_length(out) == before) {
		piece = speech_take(&exchange->speech);
		if (piece == SPEECH_NOTHING ||
			exchange->dialect->write_piece(&exchange->speech, piece, out) < 0)
			return false;
	}
	return true;
}

static bool on_more(void *arg, struct evbuffer *out)
{
	struct exchange *exchange = arg;

	if (!exchange->body)
		return write_event(exchange, out);
	return evbuffer_get_length(exchange->body) > 0 &&
	       evbuffer_add_buffer(out, exchange->body) == 0;
}

static void add_header(struct evhttp_request *request, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(request), name, value);
}

static void add_number_header(struct evhttp_request *request, const char *name, uint64_t value)
{
	char text[NUMBER_SIZE];

	snprintf(text, sizeof(text), "%ju", (uintmax_t)value);
	add_header(request, name, text);
}

/* A small answer, at once and whole; the JSON is taken over. */
static void answer(struct evhttp_request *request, unsigned status, json_t *json)
{
	auto_free char *text = json_dumps(json, JSON_COMPACT);
	struct evbuffer *body = evbuffer_new();

	json_decref(json);
	if (body && text)
		evbuffer_add(body, text, strlen(text));
	add_header(request, "Content-Type", "application/json");
	add_header(request, "x-hearth-scripted", "1");
	evhttp_send_reply(request, (int)status, NULL, body);
	if (body)
		evbuffer_free(body);
}

/* A body that is there at once: with its length, which a cut does not change. */
static int make_body(struct exchange *exchange, const char *type, const char *text, size_t size)
{
	exchange->body = evbuffer_new();
	if (!exchange->body || evbuffer_add(exchange->body, text, size) < 0)
		return -ENOMEM;
	add_header(exchange->request, "Content-Type", type);
	add_number_header(exchange->request, "Content-Length", size);
	return 0;
}

/* The JSON is taken over. */
static int make_json_body(struct exchange *exchange, json_t *json)
{
	auto_free char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return text ? make_body(exchange, "application/json", text, strlen(text)) : -ENOMEM;
}

/* 200 with a text is how a scenario sends a stream of its own making. */
static int make_status(struct exchange *exchange)
{
	const struct scenario_step *step = &exchange->step;
	unsigned status = (unsigned)step->status;
	char message[64];

	if (step->retry_after_s != SCENARIO_NEVER)
		add_number_header(exchange->request, "Retry-After", step->retry_after_s);
	if (status == HTTP_NOCONTENT || status == HTTP_NOTMODIFIED) {
		exchange->body = evbuffer_new();
		return exchange->body ? 0 : -ENOMEM;
	}
	if (json_is_string(step->body))
		return make_body(exchange,
			status < 300 && exchange->chat.is_stream ? "text/event-stream"
								 : "text/plain",
			json_string_value(step->body), json_string_length(step->body));
	if (step->body)
		return make_json_body(exchange, json_incref(step->body));
	snprintf(message, sizeof(message), "the scenario says %u", status);
	return make_json_body(exchange, exchange->dialect->make_error(status, message));
}

static int make_reply(struct exchange *exchange)
{
	if (exchange->step.status != 0)
		return make_status(exchange);
	speech_init(
		&exchange->speech, &exchange->step, &exchange->chat, exchange->service->requests);
	if (!exchange->chat.is_stream)
		return make_json_body(exchange, exchange->dialect->make_whole(&exchange->speech));
	add_header(exchange->request, "Content-Type", "text/event-stream; charset=utf-8");
	add_header(exchange->request, "Cache-Control", "no-cache");
	return 0;
}

static int read_chat(struct evhttp_request *request, struct chat *ret_chat, struct error *err)
{
	struct evbuffer *input = evhttp_request_get_input_buffer(request);
	size_t size = evbuffer_get_length(input);
	const char *body = (const char *)evbuffer_pullup(input, -1);

	if (size == 0)
		return error_set(err, EINVAL, "a body is wanted, in JSON");
	return body ? chat_parse(body, size, ret_chat, err)
		    : error_set(err, ENOMEM, "out of memory");
}

static int start_reply(struct exchange *exchange)
{
	const struct wire_callbacks callbacks = {
		.on_more = on_more, .on_end = on_end, .arg = exchange};
	const struct chat *chat = &exchange->chat;
	int r = 0;

	exchange->service->requests++;
	if (!scenario_next(exchange->service->scenario, chat->first_user, chat->last_user,
		    &exchange->step))
		r = chat_answer(chat, &exchange->step);
	if (r == 0)
		r = make_reply(exchange);
	if (r < 0)
		return r;
	add_header(exchange->request, "x-hearth-scripted", "1");
	return wire_start(exchange->service->base, exchange->request,
		exchange->step.status != 0 ? (unsigned)exchange->step.status : HTTP_OK,
		&exchange->step, &callbacks);
}

static void serve_chat(
	struct service *service, struct evhttp_request *request, const struct dialect *dialect)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	struct error err = {.code = ENOMEM, .text = "out of memory"};
	int r = -ENOMEM;

	if (exchange) {
		exchange->service = service;
		exchange->request = request;
		exchange->dialect = dialect;
		scenario_step_init(&exchange->step);
		r = read_chat(request, &exchange->chat, &err);
		if (r == 0)
			r = start_reply(exchange);
	}
	if (r == 0)
		return;
	exchange_destroy(exchange);
	evhttp_clear_headers(evhttp_request_get_output_headers(request));
	answer(request, r == -EINVAL ? HTTP_BADREQUEST : HTTP_INTERNAL,
		dialect->make_error(r == -EINVAL ? HTTP_BADREQUEST : HTTP_INTERNAL,
			r == -EINVAL ? err.text : "out of memory"));
}

static json_t *list_models(void)
{
	return json_pack("{s:s,s:[{s:s,s:s,s:i,s:s}]}", "object", "list", "data", "id",
		CHAT_MODEL_PREFIX "model", "object", "model", "created", 0, "owned_by", "hearth");
}

static void on_request(struct evhttp_request *request, void *arg)
{
	static const struct dialect *const dialects[] = {&speech_openai, &speech_anthropic};
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	enum evhttp_cmd_type command = evhttp_request_get_command(request);

	for (size_t i = 0; path && i < ARRAY_SIZE(dialects); i++) {
		if (strcmp(path, dialects[i]->path) != 0)
			continue;
		if (command == EVHTTP_REQ_POST)
			return serve_chat(arg, request, dialects[i]);
		add_header(request, "Allow", "POST");
		return answer(request, HTTP_BADMETHOD,
			dialects[i]->make_error(HTTP_BADMETHOD, "POST is wanted"));
	}
	if (!path || strcmp(path, MODELS_PATH) != 0)
		return answer(request, HTTP_NOTFOUND,
			speech_openai.make_error(HTTP_NOTFOUND,
				"there are /v1/chat/completions, /v1/messages and /v1/models"));
	if (command == EVHTTP_REQ_GET)
		return answer(request, HTTP_OK, list_models());
	add_header(request, "Allow", "GET");
	answer(request, HTTP_BADMETHOD, speech_openai.make_error(HTTP_BADMETHOD, "GET is wanted"));
}

int service_start(struct event_base *base, int socket, struct scenario *scenario,
	struct service **ret_service, struct error *err)
{
	struct service *service = calloc(1, sizeof(*service));
	int r;

	if (!service) {
		fd_close(socket);
		return error_set(err, ENOMEM, "out of memory");
	}
	service->base = base;
	service->scenario = scenario;
	r = door_open(base, socket, on_request, service, &service->door, err);
	if (r < 0) {
		free(service);
		return r;
	}
	*ret_service = service;
	return 0;
}

void service_stop(struct service *service)
{
	if (!service)
		return;
	door_close(service->door);
	free(service);
}
