/*
 * http_stream.h - server-sent events over a call that came by HTTP, with back-pressure and pings.
 *
 * Frames are handed to the client's connection at once. What it does not take is held, up to a cap, beyond which the
 * client is dropped: its stream ends without the end that HTTP has, which every client takes for an error.
 */
#ifndef AGENTD_API_HTTP_STREAM_H
#define AGENTD_API_HTTP_STREAM_H
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct api_call;
struct http_call;

/* As in struct api_front. */
void http_stream_start(struct api_call *call);
void http_stream_send(struct api_call *call, uint64_t id, const char *name, json_t *frame);
bool http_stream_is_full(const struct api_call *call);
void http_stream_end(struct api_call *call, const char *last);

/* The error (taken over) as the last frame, and the end of the call. */
void http_stream_fail(struct http_call *call, json_t *error);
#endif
