/*
 * openapi.h - the routes as an OpenAPI 3.1 document.
 */
#ifndef AGENTD_API_OPENAPI_H
#define AGENTD_API_OPENAPI_H
#include <jansson.h>

struct error;
struct route_set;

/* Routes that HTTP has not are left out. NULL with *err set: a response's schema is no JSON, or out of memory. */
json_t *openapi_make(const struct route_set *set, const char *version, struct error *err);
#endif
