/*
 * schema.h - does a JSON value fit its schema? The small part of JSON Schema that methods and tools
 * need: type (one or several), required, properties, additionalProperties: false, enum, minimum,
 * maximum, minLength, maxLength, items, minItems, maxItems. Anything else in a schema is for readers.
 *
 * Schemas are ours (const text in the tables), values are a client's or a model's.
 */
#ifndef AGENTD_SCHEMA_H
#define AGENTD_SCHEMA_H
#include <jansson.h>

struct error;

/* 0, or -EINVAL with "NAME.member: must be a string, is a number" in err. */
int schema_check(const json_t *schema, const json_t *value, const char *name, struct error *err);
/* The same of what is an object: then *bad_member is which one of its members is wrong; borrowed from either. */
int schema_check_members(const json_t *schema, const json_t *object, const char *name,
	const char **bad_member, struct error *err);
#endif
