/*
 * config_value.h - one value of a configuration: from its text into its field. Internal to config.c.
 */
#ifndef BASE_CONFIG_VALUE_H
#define BASE_CONFIG_VALUE_H
#include "base/config.h"

/* Store text in option's field of element. 0, or -EINVAL with "want ..." in *err. */
int config_value_set(
	const struct config_option *option, const char *text, void *element, struct error *err);
#endif
